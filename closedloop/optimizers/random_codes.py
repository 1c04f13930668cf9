"""Fresh random codes in every generation: the control condition, which must not improve."""

from __future__ import annotations

from typing import ClassVar, Literal

import numpy as np
from numpy.typing import NDArray
from pydantic import Field

from closedloop.optimizers.base import NO_PARENT, Origin, Population
from closedloop.optimizers.stepwise import PopulationParameters, StepwiseOptimizer


class RandomParameters(PopulationParameters, frozen=True, extra="forbid"):
    """Parameters of the random control."""

    name: Literal["random"] = Field(default="random", description="Which optimizer these are for.")


class RandomCodes(StepwiseOptimizer[RandomParameters]):
    """Draws every code from N(0, 1), whatever the scores; given codes start the first generation."""

    name: ClassVar[str] = "random"
    parameters_type: ClassVar[type[PopulationParameters]] = RandomParameters

    def _first(self, given: NDArray[np.float32] | None, random: np.random.Generator) -> Population:
        population = self._fresh(0, random)
        if given is None:
            return population
        codes, origin = population.codes.copy(), population.origin.copy()
        codes[: len(given)] = given
        origin[: len(given)] = Origin.GIVEN
        return Population(0, codes, population.parents, origin)

    def _next(
        self,
        last: Population,
        scores: NDArray[np.float64],  # noqa: ARG002  # that they are not used is what makes it a control
        random: np.random.Generator,
    ) -> Population:
        return self._fresh(last.generation + 1, random)

    def _fresh(self, generation: int, random: np.random.Generator) -> Population:
        n = self.parameters.population
        codes = random.standard_normal((n, self.code_size), dtype=np.float32)
        parents = np.full((n, 2), NO_PARENT, np.int32)
        return Population(generation, codes, parents, np.full(n, Origin.RANDOM, np.int8))
