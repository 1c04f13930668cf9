"""One scan run over its time: pulses, onset errors, responses, one above the other."""

from __future__ import annotations

import numpy as np
from matplotlib.axes import Axes

from closedloop.report.figures import style
from closedloop.report.scan_course import ScanCourse

PULSE = style.THREADS[0]
IMAGE = style.THREADS[2]
ANSWER = style.THREADS[3]
_ODD = {"doubled": ("D", "#8a6d0b"), "extra": ("P", style.BAD), "human": ("*", style.BAD)}


def draw_scan_run(course: ScanCourse, jitter_ms: float) -> bytes:
    """Draw a run's pulse residuals, the onset error of each image, and the responses.

    Args:
        course: of the run.
        jitter_ms: of pulses that is still normal.
    """
    answered = course.responses is not None and bool(course.responses.asked or course.responses.false_alarms)
    with style.look():
        figure, axes = style.panels(1, 4.6 if answered else 3.4, rows=3 if answered else 2)
        end_s = max(course.scan.last_s - course.scan.start_s, 1.0)
        scale = 60.0 if end_s > 180 else 1.0
        _pulses(axes[0], course, scale, jitter_ms)
        _onsets(axes[1], course, scale)
        if answered:
            _responses(axes[2], course, scale)
        begin_s = min(0.0, float(course.pulses_s.min(initial=0.0)))
        for axis in axes:
            axis.set_xlim((begin_s - 0.01 * end_s) / scale, 1.01 * end_s / scale)
            if begin_s < 0:
                axis.axvspan(axis.get_xlim()[0], 0, color=style.BASELINE, linewidth=0, zorder=0)
            if axis is not axes[-1]:
                axis.tick_params(labelbottom=False)
        unit = "min" if scale == 60 else "s"
        axes[-1].set_xlabel(f"time from the first stored volume ({unit})")
        return style.svg(figure)


def _pulses(axis: Axes, course: ScanCourse, scale: float, jitter_ms: float) -> None:
    residuals = course.residuals_ms
    known = np.isfinite(residuals)
    widest = max(float(np.abs(residuals[known]).max(initial=0.0)), jitter_ms)
    axis.axhspan(-jitter_ms, jitter_ms, color="#e8f2f5", linewidth=0, zorder=0)
    axis.plot(
        course.pulses_s[known] / scale,
        residuals[known],
        ".",
        color=PULSE,
        markersize=_size(known.sum()),
        label="pulse",
    )
    if len(course.missing_s):
        axis.vlines(
            course.missing_s / scale,
            -1.3 * widest,
            1.3 * widest,
            color=style.BAD,
            linewidth=1.2,
            label="did not come",
        )
    for verdict, times_s in course.odd_s.items():
        if len(times_s):
            marker, color = _ODD[verdict]
            axis.plot(
                times_s / scale,
                np.full(len(times_s), 1.1 * widest),
                marker,
                color=color,
                markersize=5,
                label=verdict,
            )
    axis.set_ylim(-1.3 * widest, 1.3 * widest)
    _finish(axis, "Pulses", "early/late (ms)")


def _onsets(axis: Axes, course: ScanCourse, scale: float) -> None:
    half = course.half_frame_ms
    if np.isfinite(half):
        axis.axhspan(-half, half, color="#efeaf6", linewidth=0, zorder=0)
    valid = course.valid
    for wanted, color, label in ((valid, IMAGE, "image"), (~valid, style.BAD, "not valid")):
        if wanted.any():
            axis.plot(
                course.onsets_s[wanted] / scale,
                course.errors_ms[wanted],
                "o" if color == style.BAD else ".",
                color=color,
                markersize=4.5 if color == style.BAD else _size(len(valid)),
                label=label,
            )
    widest = max(float(np.abs(course.errors_ms).max(initial=0.0)), half if np.isfinite(half) else 1.0)
    axis.set_ylim(-1.3 * widest, 1.3 * widest)
    _finish(axis, "Onsets of images", "early/late (ms)")


def _responses(axis: Axes, course: ScanCourse, scale: float) -> None:
    found = course.responses
    if found is None:
        return
    axis.plot(found.onsets_s / scale, found.times_s, "o", color=ANSWER, markersize=4.5, label="answer")
    for times_s, marker, color, label in (
        (found.missed_s, "x", style.BAD, "no answer"),
        (found.alarms_s, "|", style.MUTED, "press that answers nothing"),
    ):
        if len(times_s):
            axis.plot(
                times_s / scale,
                np.zeros(len(times_s)),
                marker,
                color=color,
                markersize=6,
                label=label,
                clip_on=False,
            )
    axis.set_ylim(0, max(1.0, 1.15 * float(found.times_s.max(initial=0.0))))
    _finish(axis, "Responses", "after (s)")


def _finish(axis: Axes, title: str, label: str) -> None:
    axis.set_title(title)
    axis.set_ylabel(label)
    if len(axis.get_legend_handles_labels()[0]) > 1:
        axis.legend(
            loc="lower right",
            bbox_to_anchor=(1.0, 1.0),
            ncols=5,
            handletextpad=0.3,
            columnspacing=1.2,
            borderaxespad=0.1,
        )


def _size(n: int) -> float:
    """Return the size of dots, smaller where there are many."""
    return 5.0 if n < 150 else 3.0
