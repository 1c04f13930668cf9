"""Optimizers: what breeds the next generation's codes from the last one's scores."""

from __future__ import annotations

from closedloop.optimizers.base import Optimizer, Origin, Population
from closedloop.optimizers.genetic import GeneticAlgorithm, parent_odds
from closedloop.optimizers.genetic_parameters import GeneticParameters
from closedloop.optimizers.random_codes import RandomCodes, RandomParameters
from closedloop.optimizers.registry import (
    OPTIMIZERS,
    OptimizerParameters,
    make_optimizer,
    optimizer_class,
    optimizer_parameters,
    restore_optimizer,
)
from closedloop.optimizers.stepwise import PopulationParameters, StepwiseOptimizer

__all__ = [
    "OPTIMIZERS",
    "GeneticAlgorithm",
    "GeneticParameters",
    "Optimizer",
    "OptimizerParameters",
    "Origin",
    "Population",
    "PopulationParameters",
    "RandomCodes",
    "RandomParameters",
    "StepwiseOptimizer",
    "make_optimizer",
    "optimizer_class",
    "optimizer_parameters",
    "parent_odds",
    "restore_optimizer",
]
