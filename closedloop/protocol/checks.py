"""Checks across sections of a protocol, and against what optimizers, generators and files there are."""

from __future__ import annotations

import json
import math
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
from pydantic import BaseModel, ValidationError

from closedloop.generators import GENERATORS, generator_class
from closedloop.models import list_models
from closedloop.optimizers import OPTIMIZERS
from closedloop.protocol.models import Display, OptimizerSpec, Protocol, Response, Thread
from closedloop.protocol.paths import is_weight_path
from closedloop.protocol.problems import Problem, did_you_mean, one_of
from closedloop.protocol.validate import problems_in
from closedloop.references import image_files


def check_protocol(protocol: Protocol) -> list[Problem]:
    """Return what does not fit in a protocol whose sections are each valid; touches none of its files."""
    problems = list(_response(protocol.response))
    for index, thread in enumerate(protocol.threads):
        problems += _units(index, thread, protocol.response)
        problems += _optimizer(index, thread)
        problems += _generator(index, thread)
        problems += _place(index, thread, protocol.display)
    return problems


def check_inputs(protocol: Protocol) -> list[Problem]:
    """Return what does not fit in the files that a protocol names.

    Raises:
        ReferenceImageError: no folder of reference images, or none in it.
    """
    problems: list[Problem] = []
    for index, thread in enumerate(protocol.threads):
        problems += _initial_codes(index, thread)
        weights = thread.generator.weights
        if weights is not None and is_weight_path(weights) and not Path(weights).is_file():
            path = ("threads", index, "generator", "weights")
            problems.append(Problem(path, f"no file {weights}", "a weight file, or the id of a model"))
    if protocol.references.folder is not None and protocol.references.per_generation and not problems:
        image_files(protocol.references.folder)
    return problems


def _response(response: Response) -> Iterator[Problem]:
    regular = response.kind in ("rates", "counts")
    if response.expected_rate_hz is not None and not regular:
        yield Problem(
            ("response", "expected_rate_hz"),
            f"{response.expected_rate_hz:g} Hz for kind '{response.kind}'",
            "none, as these streams are irregular",
            "Remove it.",
        )
    if response.kind == "spikes" and response.expected_channels not in (None, 1):
        yield Problem(
            ("response", "expected_channels"),
            f"{response.expected_channels} channels for kind 'spikes'",
            "1: each sample is the number of a unit",
            "Give the number of units as unit_count.",
        )
    if response.kind != "spikes" and response.unit_count is not None:
        yield Problem(
            ("response", "unit_count"),
            f"a unit count for kind '{response.kind}'",
            "none, as each unit has a channel",
            "Give expected_channels instead.",
        )
    if response.kind == "trials" and response.expected_channels == 1:
        yield Problem(
            ("response", "expected_channels"),
            "1 channel for kind 'trials'",
            "at least 2: the trial's number, then a channel for each unit",
        )
    if response.kind == "trials" and response.subtract_baseline:
        yield Problem(
            ("response", "subtract_baseline"),
            "true for kind 'trials'",
            "false, as the sender measures the responses",
            "Subtract it at the sender.",
        )


def _units(index: int, thread: Thread, response: Response) -> Iterator[Problem]:
    channels = response.expected_channels
    if response.kind == "spikes":
        count, source = response.unit_count, "response.unit_count"
    else:
        count, source = channels, "response.expected_channels"
        if response.kind == "trials" and channels is not None:
            count, source = channels - 1, "response.expected_channels, less the trial's number"
    if count is None:
        return
    for place, unit in enumerate(thread.units.units):
        if unit >= count:
            yield Problem(
                ("threads", index, "units", "units", place),
                f"unit {unit}",
                f"0 to {count - 1} ({source})",
                "Units are counted from 0.",
            )


def _optimizer(index: int, thread: Thread) -> list[Problem]:
    spec, at = thread.optimizer, ("threads", index, "optimizer")
    if spec.name not in OPTIMIZERS:
        return [_unknown((*at, "name"), spec.name, sorted(OPTIMIZERS))]
    model = OPTIMIZERS[spec.name].parameters_type
    outside = _outside(("name", "preset"), spec.parameters, (*at, "parameters"))
    if outside:
        return outside
    problems = []
    for problem in _parameters(model, _given(spec), (*at, "parameters")):
        of_preset = problem.path == (*at, "parameters", "preset")
        problems.append(replace(problem, path=(*at, "preset")) if of_preset else problem)
    return problems


def _given(spec: OptimizerSpec) -> dict[str, Any]:
    preset = {} if spec.preset is None else {"preset": spec.preset}
    return {**spec.parameters, **preset, "name": spec.name}


def _generator(index: int, thread: Thread) -> list[Problem]:
    spec, at = thread.generator, ("threads", index, "generator")
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


def _parameters(model: type[BaseModel], given: dict[str, Any], at: tuple[str | int, ...]) -> list[Problem]:
    try:
        model.model_validate_json(json.dumps(given), strict=True)
    except ValidationError as error:
        return problems_in(error, model, at)
    return []


def _outside(keys: tuple[str, ...], parameters: dict[str, Any], at: tuple[str | int, ...]) -> list[Problem]:
    return [
        Problem((*at, key), f"the key '{key}'", "parameters only", "Move it up, beside 'parameters'.")
        for key in keys
        if key in parameters
    ]


def _unknown(at: tuple[str | int, ...], name: str, known: list[str]) -> Problem:
    return Problem(at, f"the text {name!r}", one_of(known), did_you_mean(name, known))


def _place(index: int, thread: Thread, display: Display) -> Iterator[Problem]:
    """Find images that leave the window or cover the photodiode's patch."""
    if display.monitor:
        return  # then that Monitor's own width and distance count, which are not known here
    width_px, height_px = display.size_px
    px_per_deg = display.distance_cm * math.tan(math.radians(1)) * width_px / display.width_cm
    half = thread.size_deg / 2
    (x, y), tall = thread.position_deg, height_px / width_px
    right, up = width_px / px_per_deg / 2, width_px * tall / px_per_deg / 2
    if abs(x) + half > right or abs(y) + half > up:
        yield Problem(
            ("threads", index, "size_deg"),
            f"an image of {thread.size_deg:g} degrees at ({x:g}, {y:g}) that leaves the window",
            f"one within {2 * right:.1f} x {2 * up:.1f} degrees (display.width_cm, distance_cm and size_px)",
        )
        return
    if display.photodiode is not None:
        patch = display.photodiode.size_px / px_per_deg
        corner = display.photodiode.corner.value
        reach_x = x + half if "right" in corner else half - x
        reach_y = y + half if "top" in corner else half - y
        if reach_x > right - patch and reach_y > up - patch:
            yield Problem(
                ("threads", index, "position_deg"),
                f"an image that covers the photodiode's patch in the {corner} corner",
                "image and patch apart",
                "Move the image, or the patch to another corner.",
            )


def _initial_codes(index: int, thread: Thread) -> list[Problem]:
    file = thread.optimizer.initial_codes
    if file is None:
        return []
    at, expected = ("threads", index, "optimizer", "initial_codes"), "a .npy file of codes (n, d)"
    if not file.is_file():
        return [Problem(at, f"no file {file}", expected)]
    try:
        codes = np.load(file, allow_pickle=False, mmap_mode="r")
    except (OSError, ValueError, EOFError) as error:
        return [Problem(at, f"a file that can't be read ({error})", expected, "Write it with numpy.save.")]
    if not isinstance(codes, np.ndarray) or codes.ndim != 2 or codes.dtype.kind != "f" or not codes.size:
        found = f"{codes.dtype} {codes.shape}" if isinstance(codes, np.ndarray) else "an archive of arrays"
        return [Problem(at, found, "floating-point codes (n, d)", "Write them with numpy.save.")]
    if not np.isfinite(codes).all():
        return [Problem(at, "codes that are NaN or infinite", "finite codes")]
    spec = thread.optimizer
    parameters = OPTIMIZERS[spec.name].parameters_type.model_validate(_given(spec))
    population = getattr(parameters, "population", None)
    if population is not None and len(codes) > population:
        remedy = "Take fewer codes, or a larger population."
        return [Problem(at, f"{len(codes)} codes", f"at most the population, {population}", remedy)]
    return []
