"""Checks across sections of a scan protocol, and against the files and generators that there are."""

from __future__ import annotations

from pathlib import Path

from closedloop.protocol.checks import check_code_file, check_place, check_weight_file
from closedloop.protocol.fields import KeyPath
from closedloop.protocol.plugins import check_generator
from closedloop.protocol.problems import Problem
from closedloop.protocol.scan import ScanProtocol
from closedloop.protocol.sections.scan_design import Events, Sparse
from closedloop.protocol.sections.scan_stimuli import Condition
from closedloop.references import SUFFIXES, image_files

_ROUNDING_S = 1e-9


def check_scan(protocol: ScanProtocol) -> list[Problem]:
    """Return what does not fit in a protocol whose sections are each valid; touches none of its files."""
    stimuli = protocol.stimuli
    problems = list(check_place(("stimuli",), stimuli.size_deg, stimuli.position_deg, protocol.display))
    for index, condition in enumerate(stimuli.conditions):
        at: KeyPath = ("stimuli", "conditions", index)
        if condition.is_coded:
            problems += check_generator((*at, "generator"), condition.generator)
        for number, file in enumerate(condition.files):
            if file.suffix.lower() not in SUFFIXES:
                problems.append(
                    Problem((*at, "files", number), f"the file {file.name}", "a PNG, JPEG or BMP file")
                )
    return problems + _silence(protocol)


def _silence(protocol: ScanProtocol) -> list[Problem]:
    """Find a sparse design whose images do not fit into the silence."""
    design, scanner = protocol.design, protocol.scanner
    if not isinstance(design, Sparse) or scanner.acquisition_s is None:
        return []
    silence_s = scanner.tr_s - scanner.acquisition_s
    needed_s = design.delay_s + design.jitter_s + design.event_s
    if needed_s <= silence_s + _ROUNDING_S:
        return []
    return [
        Problem(
            ("design", "image_s"),
            f"{needed_s:g} s from the start of the silence to the end of its last image",
            f"at most {silence_s:g} s: scanner.tr_s less acquisition_s",
            "Shorten image_s, delay_s or jitter_s, or show fewer images_per_event.",
        )
    ]


def check_scan_inputs(protocol: ScanProtocol) -> list[Problem]:
    """Return what does not fit in the files that a protocol names.

    Raises:
        ReferenceImageError: a folder without images.
    """
    problems: list[Problem] = []
    for index, condition in enumerate(protocol.stimuli.conditions):
        problems += _sources(("stimuli", "conditions", index), condition)
    design = protocol.design
    if isinstance(design, Events):
        if design.folder is not None and not design.folder.is_dir() and design.missing == "error":
            problems.append(Problem(("design", "folder"), f"no folder {design.folder}", "a folder of images"))
        for index, run in enumerate(protocol.runs.planned):
            at: KeyPath = ("design", "file") if run.events is None else ("runs", "each", index, "events")
            file = run.events or design.file
            if file is not None and not Path(file).is_file():
                problems.append(Problem(at, f"no file {file}", "a table of events, tab-separated"))
    return problems


def _sources(at: KeyPath, condition: Condition) -> list[Problem]:
    problems: list[Problem] = []
    if condition.is_coded:
        problems += check_weight_file((*at, "generator"), condition.generator.weights)
    if condition.code_file is not None:
        problems += check_code_file((*at, "code_file"), condition.code_file)[0]
    for number, file in enumerate(condition.files):
        if not file.is_file():
            problems.append(Problem((*at, "files", number), f"no file {file}", "a PNG, JPEG or BMP file"))
    if condition.folder is not None:
        image_files(condition.folder)
    return problems
