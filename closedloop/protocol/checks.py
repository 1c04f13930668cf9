"""Checks across sections of a protocol, and against what optimizers, generators and files there are."""

from __future__ import annotations

import math
from collections.abc import Iterator
from pathlib import Path

import numpy as np

from closedloop.optimizers import OPTIMIZERS
from closedloop.protocol.fields import KeyPath
from closedloop.protocol.models import Display, Protocol, Response, Thread
from closedloop.protocol.paths import is_weight_path
from closedloop.protocol.plugins import check_generator, check_optimizer, given_parameters
from closedloop.protocol.problems import Problem
from closedloop.references import image_files


def check_protocol(protocol: Protocol) -> list[Problem]:
    """Return what does not fit in a protocol whose sections are each valid; touches none of its files."""
    problems = list(_response(protocol.response))
    for index, thread in enumerate(protocol.threads):
        problems += _units(index, thread, protocol.response)
        problems += check_optimizer(index, thread)
        problems += check_generator(("threads", index, "generator"), thread.generator)
        problems += check_place(("threads", index), thread.size_deg, thread.position_deg, protocol.display)
    return problems


def check_inputs(protocol: Protocol) -> list[Problem]:
    """Return what does not fit in the files that a protocol names.

    Raises:
        ReferenceImageError: no folder of reference images, or none in it.
    """
    problems: list[Problem] = []
    for index, thread in enumerate(protocol.threads):
        problems += _initial_codes(index, thread)
        problems += check_weight_file(("threads", index, "generator"), thread.generator.weights)
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


def check_place(
    at: KeyPath, size_deg: float, position_deg: tuple[float, float], display: Display
) -> Iterator[Problem]:
    """Find images that leave the window or cover the photodiode's patch.

    Args:
        at: the section with the keys `size_deg` and `position_deg`.
        size_deg: longer side of the images.
        position_deg: their centre.
        display: the window.
    """
    if display.monitor:
        return  # then that Monitor's own width and distance count, which are not known here
    width_px, height_px = display.size_px
    px_per_deg = display.distance_cm * math.tan(math.radians(1)) * width_px / display.width_cm
    half = size_deg / 2
    (x, y), tall = position_deg, height_px / width_px
    right, up = width_px / px_per_deg / 2, width_px * tall / px_per_deg / 2
    if abs(x) + half > right or abs(y) + half > up:
        yield Problem(
            (*at, "size_deg"),
            f"an image of {size_deg:g} degrees at ({x:g}, {y:g}) that leaves the window",
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
                (*at, "position_deg"),
                f"an image that covers the photodiode's patch in the {corner} corner",
                "image and patch apart",
                "Move the image, or the patch to another corner.",
            )


def check_code_file(at: KeyPath, file: Path) -> tuple[list[Problem], int]:
    """Return what is wrong with a file of codes, and how many codes are in it."""
    expected = "a .npy file of codes (n, d)"
    if not file.is_file():
        return [Problem(at, f"no file {file}", expected)], 0
    try:
        codes = np.load(file, allow_pickle=False, mmap_mode="r")
    except (OSError, ValueError, EOFError) as error:
        return [Problem(at, f"a file that can't be read ({error})", expected, "Write it with numpy.save.")], 0
    if not isinstance(codes, np.ndarray) or codes.ndim != 2 or codes.dtype.kind != "f" or not codes.size:
        found = f"{codes.dtype} {codes.shape}" if isinstance(codes, np.ndarray) else "an archive of arrays"
        return [Problem(at, found, "floating-point codes (n, d)", "Write them with numpy.save.")], 0
    if not np.isfinite(codes).all():
        return [Problem(at, "codes that are NaN or infinite", "finite codes")], 0
    return [], len(codes)


def check_weight_file(at: KeyPath, weights: str | None) -> list[Problem]:
    """Return whether a generator's weight file is missing, if it names one."""
    if weights is None or not is_weight_path(weights) or Path(weights).is_file():
        return []
    return [Problem((*at, "weights"), f"no file {weights}", "a weight file, or the id of a model")]


def _initial_codes(index: int, thread: Thread) -> list[Problem]:
    file = thread.optimizer.initial_codes
    if file is None:
        return []
    at: KeyPath = ("threads", index, "optimizer", "initial_codes")
    problems, count = check_code_file(at, file)
    if problems:
        return problems
    spec = thread.optimizer
    parameters = OPTIMIZERS[spec.name].parameters_type.model_validate(given_parameters(spec))
    population = getattr(parameters, "population", None)
    if population is not None and count > population:
        remedy = "Take fewer codes, or a larger population."
        return [Problem(at, f"{count} codes", f"at most the population, {population}", remedy)]
    return []
