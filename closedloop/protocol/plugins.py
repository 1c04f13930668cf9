"""Checks of a protocol's optimizers and generators against those that are registered."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

from pydantic import BaseModel, ValidationError

from closedloop.generators import GENERATORS, generator_class
from closedloop.models import list_models
from closedloop.optimizers import OPTIMIZERS
from closedloop.protocol.fields import KeyPath
from closedloop.protocol.models import GeneratorSpec, OptimizerSpec, Thread
from closedloop.protocol.paths import is_weight_path
from closedloop.protocol.problems import Problem, did_you_mean, one_of
from closedloop.protocol.validate import problems_in


def check_optimizer(index: int, thread: Thread) -> list[Problem]:
    """Return what is wrong with the optimizer of the thread of that number."""
    spec, at = thread.optimizer, ("threads", index, "optimizer")
    if spec.name not in OPTIMIZERS:
        return [_unknown((*at, "name"), spec.name, sorted(OPTIMIZERS))]
    model = OPTIMIZERS[spec.name].parameters_type
    outside = _outside(("name", "preset"), spec.parameters, (*at, "parameters"))
    if outside:
        return outside
    problems = []
    for problem in _parameters(model, given_parameters(spec), (*at, "parameters")):
        of_preset = problem.path == (*at, "parameters", "preset")
        problems.append(replace(problem, path=(*at, "preset")) if of_preset else problem)
    return problems


def given_parameters(spec: OptimizerSpec) -> dict[str, Any]:
    """Return an optimizer's section as its own model takes it."""
    preset = {} if spec.preset is None else {"preset": spec.preset}
    return {**spec.parameters, **preset, "name": spec.name}


def check_generator(at: KeyPath, spec: GeneratorSpec) -> list[Problem]:
    """Return what is wrong with a generator's section, which stands at ``at``; looks for no file."""
    if spec.name not in GENERATORS:
        return [_unknown((*at, "name"), spec.name, sorted(GENERATORS))]
    problems: list[Problem] = []
    if spec.weights is not None:
        if is_weight_path(spec.weights):
            if spec.sha256 is None:
                problems.append(
                    Problem(
                        (*at, "sha256"),
                        "nothing",
                        "the SHA-256 of the weight file",
                        f"sha256sum {Path(spec.weights).name} tells it.",
                    )
                )
        else:
            known = [entry.id for entry in list_models()]
            if spec.weights not in known:
                problems.append(_unknown((*at, "weights"), spec.weights, known))
    if spec.parameters:  # the defaults need no check, and some generators take seconds to import
        problems += _parameters(generator_class(spec.name).Parameters, spec.parameters, (*at, "parameters"))
    return problems


def _parameters(model: type[BaseModel], given: dict[str, Any], at: KeyPath) -> list[Problem]:
    try:
        model.model_validate_json(json.dumps(given), strict=True)
    except ValidationError as error:
        return problems_in(error, model, at)
    return []


def _outside(keys: tuple[str, ...], parameters: dict[str, Any], at: KeyPath) -> list[Problem]:
    return [
        Problem((*at, key), f"the key '{key}'", "parameters only", "Move it up, beside 'parameters'.")
        for key in keys
        if key in parameters
    ]


def _unknown(at: KeyPath, name: str, known: list[str]) -> Problem:
    return Problem(at, f"the text {name!r}", one_of(known), did_you_mean(name, known))
