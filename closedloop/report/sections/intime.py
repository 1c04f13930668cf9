"""Responses in time (PSTH), early and late."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd

from closedloop.errors import ClosedLoopError
from closedloop.loop.rules import rule_of
from closedloop.ports import Float64, StreamInfo
from closedloop.protocol.models import Protocol, Units
from closedloop.report.blocks import Block, Figure, Remark, Section
from closedloop.report.figures import style
from closedloop.report.figures.psth import Course, PsthPanel, draw_psth
from closedloop.report.material import EvolvingThread, Material
from closedloop.report.sampled import samples_around
from closedloop.report.sections.course import ThreadCourse
from closedloop.report.words import count, listed
from closedloop.scoring import ResponseRule, Window, psth

TITLE = "Responses in time"
APART_S = 3600.0  # far more than any span around an onset


@dataclass(frozen=True)
class Scale:
    """How finely and how far around an onset the course is shown, in seconds."""

    bin_s: float = 0.01
    before_s: float = 0.05
    after_window_s: float = 0.1

    @classmethod
    def of(cls, protocol: Protocol) -> Scale:
        """Return the rig's, or in a scanner one that follows the TR."""
        volumes = protocol.response.volumes
        if volumes is None:
            return cls()
        return cls(volumes.tr_s / 2, 2 * volumes.tr_s, 3 * volumes.tr_s)


def section(material: Material, found: Sequence[ThreadCourse]) -> Section:
    """Return the section with one panel a thread."""
    reason = _why_not(material)
    if reason:
        return Section("psth", TITLE, [Remark(reason)])
    protocol = material.protocol
    assert protocol is not None  # noqa: S101 - _why_not looked; for the type checker
    panels, remarks, notes = [], [], []
    for course in found:
        try:
            panel, note = _panel(material, protocol, course)
        except ClosedLoopError as error:
            remarks.append(Remark(f"{course.thread.name}: {error}", "warning"))
            continue
        if panel is None:
            remarks.append(Remark(f"{course.thread.name}: {note}"))
        else:
            panels.append(panel)
            notes.append(f"{course.thread.name}: {note}" if len(found) > 1 else note)
    blocks: list[Block] = []
    if panels:
        window, baseline = _windows(protocol)
        label = "rate (spikes/s)" if protocol.response.volumes is None else "signal (% change from onset)"
        drawing = draw_psth(panels, window, baseline, protocol.presentation.on_ms / 1000, label)
        caption = (
            f"Mean {'rate' if protocol.response.volumes is None else 'signal'} in bins of"
            f" {1000 * Scale.of(protocol).bin_s:g} ms around the onset of evolved images, valid trials only;"
            " the band is ± 1 standard error over trials. What comes before the onset answers the image before. "
            + " ".join(notes)
        )
        blocks.append(
            Figure(drawing, "Rate against time from onset, early and late in the session.", caption)
        )
    return Section("psth", TITLE, [*blocks, *remarks])


def _why_not(material: Material) -> str:
    if material.protocol is None:
        return "The session's protocol could not be read, so the response window is not known."
    if material.protocol.response.kind == "trials":
        return "The stream sends one number a trial (kind trials): there is no time course to show."
    if not material.trials["valid"].any():
        return "There is no valid trial, so there is nothing to average."
    if not any(info.get("role") == "response" for info in material.reader.details("streams", "info")):
        return "No response stream was recorded."
    return ""


def _panel(material: Material, protocol: Protocol, course: ThreadCourse) -> tuple[PsthPanel | None, str]:
    thread = course.thread
    trials = material.of_thread(material.trials, thread)
    trials = trials[trials["valid"] & (trials["image_kind"] == "evolved")]
    chosen = _chosen(course, sorted({int(g) for g in trials["generation"]}))
    if not chosen:
        return None, "no valid trial of an evolved image, so there is nothing to average."
    window, _ = _windows(protocol)
    scale = Scale.of(protocol)
    span = Window(-scale.before_s, window.end_s + scale.after_window_s)
    drawn, notes = [], []
    for label, numbers in chosen:
        shown = trials[trials["generation"].isin(numbers)]
        name = f"{label} ({_generations(numbers)})"
        one, left_out = _course(material, protocol, thread, shown, span, scale.bin_s, name)
        if one is not None and protocol.response.volumes is not None:
            one = _in_percent(one)
        if one is None:
            notes.append(f"no samples are in the file for the {label} trials.")
            continue
        drawn.append(one)
        notes.append(f"{label}: {_generations(numbers)}, n = {count(len(shown) - left_out, 'trial')};")
        if left_out:
            notes.append(f"{count(left_out, 'trial')} of runs with another stream or other units left out;")
    if not drawn:
        return None, " ".join(notes)
    color = style.thread_color(thread.index)
    return PsthPanel(thread.name, color, drawn), " ".join(notes).rstrip(";") + "."


def _chosen(course: ThreadCourse, usable: Sequence[int]) -> list[tuple[str, tuple[int, ...]]]:
    """Choose the generations to compare: those of the test, or else the first and the last there are."""
    result = course.significance
    if result.evolved is not None:
        return [("first two", result.first), ("best two", result.best)]
    if len(usable) < 2:
        return [("all", tuple(usable))] if usable else []
    return [("first", (usable[0],)), ("last", (usable[-1],))]


def rule_of_thread(
    material: Material, protocol: Protocol, thread: EvolvingThread, run: int | None = None
) -> ResponseRule:
    """Return how a thread's responses were measured, as the loop did.

    Args:
        material: of the page.
        protocol: as it held in the run.
        thread: the evolution.
        run: whose stream it was; None, or one that has none in the file: that of the last run.

    Raises:
        ClosedLoopError: the thread's units are not in the stream.
    """
    runs = material.reader.table("streams")["run"].tolist()
    infos = {
        int(of_run): info
        for of_run, info in zip(runs, material.reader.details("streams", "info"), strict=True)
        if info.get("role") == "response"
    }
    info = infos[max(infos) if run is None or run not in infos else run]
    stream = StreamInfo(**{**info, "channel_names": tuple(info.get("channel_names", ()))})
    return rule_of(protocol.response, _units(protocol, thread), stream)


def _units(protocol: Protocol, thread: EvolvingThread) -> Units:
    return next((spec.units for spec in protocol.threads if spec.name == thread.name), Units())


def _course(
    material: Material,
    protocol: Protocol,
    thread: EvolvingThread,
    shown: pd.DataFrame,
    span: Window,
    bin_s: float,
    label: str,
) -> tuple[Course | None, int]:
    """Average over trials of all runs that were measured as in the last one; return how many were not."""
    last = rule_of_thread(material, protocol, thread)
    heard: list[tuple[Float64, npt.NDArray[Any]]] = []
    onsets: list[Float64] = []
    narrow, left_out, later_s = None, 0, 0.0
    for run in sorted(int(run) for run in shown["run"].unique()):
        own = shown[shown["run"] == run]
        if not _alike(last, rule_of_thread(material, material.protocol_in(run) or protocol, thread, run)):
            left_out += len(own)
            continue
        own_s = np.sort(own["onset_s"].to_numpy(float))
        around = samples_around(material.reader, last, own_s, span, run)
        if around is None:
            continue
        times, values, narrow = around
        # two runs may share a span of the clock, which began anew between them: one is laid after the other
        by_s = later_s - min(times[0], own_s[0])
        heard.append((times + by_s, values))
        onsets.append(own_s + by_s)
        later_s = max(heard[-1][0][-1], onsets[-1][-1]) + APART_S
    if narrow is None:
        return None, left_out
    stamps, samples = (np.concatenate([part[i] for part in heard]) for i in (0, 1))
    result = psth(narrow, stamps, samples, np.concatenate(onsets), span, bin_s)
    if len(narrow.units) == 1:
        return Course(label, result.centres_s, result.rate_hz[:, 0], result.sem_hz[:, 0]), left_out
    weights = np.asarray(
        _units(protocol, thread).weights or np.full(len(narrow.units), 1 / len(narrow.units))
    )
    unknown = np.full(len(result.rate_hz), np.nan)  # units are correlated: their errors do not add up
    return Course(label, result.centres_s, result.rate_hz @ weights, unknown), left_out


def _alike(one: ResponseRule, other: ResponseRule) -> bool:
    """Whether samples of both can be averaged: windows and the number of other units play no part."""
    kinds = ("kind", "units", "bin_s", "stamped_early_s", "in_percent")
    return all(getattr(one, name) == getattr(other, name) for name in kinds)


def _in_percent(course: Course) -> Course:
    """Return a scanner's signal as its difference from that of the volume before the onset, in percent."""
    before = np.flatnonzero(course.centres_s < 0)[-2:]  # bins are half a volume
    level = course.rate_hz[before].mean() if len(before) else np.nan
    percent = 100 * (course.rate_hz / level - 1)
    return Course(course.label, course.centres_s, percent, 100 * course.sem_hz / level)


def _windows(protocol: Protocol) -> tuple[Window, Window | None]:
    window, baseline = protocol.response.window_in_use, protocol.response.baseline_in_use
    measured = Window(window.start_ms / 1000, window.end_ms / 1000)
    if baseline is None:
        return measured, None
    return measured, Window(baseline.start_ms / 1000, baseline.end_ms / 1000)


def _generations(numbers: Sequence[int]) -> str:
    word = "generation" if len(numbers) == 1 else "generations"
    return f"{word} {listed([str(n) for n in numbers])}"
