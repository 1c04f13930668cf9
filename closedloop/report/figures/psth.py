"""Responses in time, early and late in the session."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from matplotlib.axes import Axes

from closedloop.ports import Float64
from closedloop.report.figures import style
from closedloop.scoring import Window


@dataclass(frozen=True, eq=False)
class Course:
    """Mean rate in time: (bins,) centres, mean and standard error (NaN where there is none)."""

    label: str
    centres_s: Float64
    rate_hz: Float64
    sem_hz: Float64


@dataclass(frozen=True, eq=False)
class PsthPanel:
    """One thread, with its courses in order: early first."""

    name: str
    color: str
    courses: Sequence[Course]


def draw_psth(
    threads: Sequence[PsthPanel],
    window: Window,
    baseline: Window | None,
    on_s: float,
    label: str = "rate (spikes/s)",
) -> bytes:
    """Draw one panel a thread with the windows shaded and the time on screen marked."""
    with style.look():
        columns = min(2, len(threads))
        rows = -(-len(threads) // columns)
        figure, axes = style.panels(columns, 3.2 * rows, rows=rows, share_y=True)
        for axis, panel in zip(axes, threads, strict=False):
            _draw(axis, panel, window, baseline, on_s, titled=len(threads) > 1)
        for axis in axes[:: max(1, columns)]:
            axis.set_ylabel(label)
        for axis in axes[len(threads) :]:
            axis.remove()
        return style.svg(figure)


def _draw(
    axis: Axes, panel: PsthPanel, window: Window, baseline: Window | None, on_s: float, *, titled: bool
) -> None:
    top = axis.get_xaxis_transform()
    shaded = [(window, style.WINDOW, "response window")]
    if baseline is not None:
        shaded.append((baseline, style.BASELINE, "baseline"))
    for span, color, label in shaded:
        start_ms, end_ms = 1000 * span.start_s, 1000 * span.end_s
        axis.axvspan(start_ms, end_ms, color=color, alpha=0.45, linewidth=0, zorder=0)
        axis.text(
            (start_ms + end_ms) / 2,
            1.0,
            label,
            transform=top,
            ha="center",
            va="bottom",
            size=7.5,
            color=style.MUTED,
        )
    colors = [style.EARLY, panel.color] if len(panel.courses) > 1 else [panel.color]
    for course, color in zip(panel.courses, colors, strict=False):
        x = 1000 * course.centres_s
        if np.isfinite(course.sem_hz).any():
            low, high = course.rate_hz - course.sem_hz, course.rate_hz + course.sem_hz
            axis.fill_between(x, low, high, color=color, alpha=0.22, linewidth=0)
        axis.plot(x, course.rate_hz, color=color, label=course.label)
    axis.margins(x=0)
    style.from_zero(axis, _lowest(panel), headroom=0.28)  # room for the legend
    axis.plot(
        [0, 1000 * on_s], [0.012, 0.012], transform=top, color=style.INK, linewidth=3.0, solid_capstyle="butt"
    )
    axis.set_xlabel("time from onset (ms); the bar: image on screen")
    if titled:
        axis.set_title(panel.name, color=panel.color, pad=18)
    axis.legend(loc="upper left", labelcolor="linecolor", handlelength=1.2)


def _lowest(panel: PsthPanel) -> float:
    rates = np.concatenate([course.rate_hz for course in panel.courses])
    return float(np.nanmin(rates)) if np.isfinite(rates).any() else 0.0
