"""How all figures look: sizes, fonts and colours (the latter told apart with any colour vision)."""

from __future__ import annotations

import io
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import matplotlib
import numpy as np
from matplotlib.axes import Axes
from matplotlib.axis import Axis
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

WIDTH_IN = 9.2
INK = "#1f2933"
MUTED = "#66727f"
LINE = "#c9d1d9"
REFERENCE = "#7b8794"
EARLY = "#8fa3b8"
WINDOW = "#f3d9a4"
BASELINE = "#e3e8ee"
BAD = "#b4342d"
THREADS = ("#0b6e8a", "#c2571a", "#6b4fa0", "#4b7f2c", "#a8326e", "#8a6d0b")
PARTS = ("#0b6e8a", "#5fb3c6", "#c2571a", "#f0a868", "#6b4fa0", "#b8a6d9", "#4b7f2c", "#a5c98a")

_RC: Any = {
    "font.family": "sans-serif",
    "font.sans-serif": ["Inter", "Helvetica Neue", "Arial", "Liberation Sans", "DejaVu Sans"],
    "font.size": 9.0,
    "axes.titlesize": 10.0,
    "axes.titleweight": "bold",
    "axes.titlelocation": "left",
    "axes.titlepad": 8.0,
    "axes.labelcolor": MUTED,
    "axes.edgecolor": LINE,
    "axes.linewidth": 0.8,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.axisbelow": True,
    "text.color": INK,
    "xtick.color": LINE,
    "ytick.color": LINE,
    "xtick.labelcolor": MUTED,
    "ytick.labelcolor": MUTED,
    "xtick.major.size": 3.0,
    "ytick.major.size": 0.0,
    "axes.grid": True,
    "axes.grid.axis": "y",
    "grid.color": "#e9edf1",
    "grid.linewidth": 0.8,
    "legend.frameon": False,
    "lines.linewidth": 1.8,
    "lines.solid_capstyle": "round",
    "figure.facecolor": "none",
    "axes.facecolor": "none",
    "savefig.facecolor": "none",
    "svg.fonttype": "none",  # letters stay letters: smaller, sharp, and found by a search
    "svg.hashsalt": "closedloop",  # the same drawing gives the same bytes
}


@contextmanager
def look() -> Iterator[None]:
    """Draw in the report's style inside this context."""
    with matplotlib.rc_context(_RC):
        yield


def panels(
    columns: int, height_in: float, *, rows: int = 1, share_y: bool = False
) -> tuple[Figure, list[Axes]]:
    """Return an empty figure of the page's width and its axes, row by row."""
    figure = Figure(figsize=(WIDTH_IN, height_in), layout="constrained")
    axes = figure.subplots(rows, columns, squeeze=False, sharey=share_y)
    return figure, [axis for row in axes for axis in row]


def svg(figure: Figure) -> bytes:
    """Return a figure as SVG."""
    out = io.BytesIO()
    figure.savefig(out, format="svg", metadata={"Date": None})
    return out.getvalue()


def time_scale(end_s: float) -> tuple[float, str]:
    """Return what to divide seconds by, and the label of the axis, for times up to an end."""
    return (
        (60.0, "time from the session's start (min)")
        if end_s > 180
        else (1.0, "time from the session's start (s)")
    )


def thread_color(index: int) -> str:
    """Return the colour of a thread."""
    return THREADS[index % len(THREADS)]


def from_zero(axis: Axes, lowest: float, headroom: float = 0.05) -> None:
    """Let the y axis begin at 0 unless a mean is below it, and leave room above the data."""
    low, high = axis.dataLim.intervaly
    if not (np.isfinite(low) and np.isfinite(high)) or high <= min(low, 0.0):
        return
    # an error band below 0 says nothing where rates can't be
    bottom = 0.0 if lowest >= 0 else low - 0.05 * (high - low)
    axis.set_ylim(bottom, high + headroom * (high - bottom))


def whole_ticks(axis: Axis) -> None:
    """Let an axis have whole numbers only."""
    axis.set_major_locator(MaxNLocator(integer=True, min_n_ticks=1))
