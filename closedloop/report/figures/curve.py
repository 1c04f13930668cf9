"""The curve of an evolution: evolved images against references."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from matplotlib.axes import Axes

from closedloop.ports import Float64
from closedloop.report.figures import style
from closedloop.scoring import Averages, Curve


@dataclass(frozen=True, eq=False)
class CurvePanel:
    """One thread: its curve, and the single evolved images behind it, (k,) generations and (k,) means."""

    name: str
    color: str
    curve: Curve
    generations: Float64
    means_hz: Float64


def draw_curves(threads: Sequence[CurvePanel], unit: str = "spikes/s") -> bytes:
    """Draw one panel a thread, side by side, on one scale."""
    with style.look():
        columns = min(2, len(threads))
        rows = -(-len(threads) // columns)
        figure, axes = style.panels(columns, 3.6 if columns == 1 else 3.2 * rows, rows=rows, share_y=True)
        for axis, panel in zip(axes, threads, strict=False):
            _draw(axis, panel, titled=len(threads) > 1)
        for axis in axes[:: max(1, columns)]:
            axis.set_ylabel(f"response ({unit})")
        for axis in axes[len(threads) :]:
            axis.remove()
        return style.svg(figure)


def _draw(axis: Axes, panel: CurvePanel, *, titled: bool) -> None:
    generations = panel.curve.generations
    # spread a little, so that images with the same mean do not hide each other
    spread = 0.36 * (np.arange(len(panel.means_hz)) * 0.618034 % 1 - 0.5)
    axis.scatter(
        panel.generations + spread,
        panel.means_hz,
        s=7,
        color=panel.color,
        alpha=0.22 if len(spread) > 400 else 0.45,
        linewidths=0,
        zorder=1,
    )
    _band(axis, generations, panel.curve.reference, style.REFERENCE, "references")
    _band(axis, generations, panel.curve.evolved, panel.color, "evolved images")
    axis.set_xlim(-0.5, max(len(generations) - 0.5, 0.5))
    means = np.concatenate([panel.means_hz, panel.curve.reference.mean, [np.inf]])
    style.from_zero(axis, float(np.nanmin(means)))
    axis.set_xlabel("generation")
    style.whole_ticks(axis.xaxis)
    if titled:
        axis.set_title(panel.name, color=panel.color)
    if axis.get_legend_handles_labels()[0]:  # none where nothing had a response
        axis.legend(loc="upper left", labelcolor="linecolor", handlelength=1.2)


def _band(
    axis: Axes, x: np.ndarray[tuple[int, ...], np.dtype[np.int64]], line: Averages, color: str, label: str
) -> None:
    if not np.isfinite(line.mean).any():
        return
    sem = np.nan_to_num(line.sem)
    axis.fill_between(x, line.mean - sem, line.mean + sem, color=color, alpha=0.18, linewidth=0, zorder=2)
    few = len(x) < 25
    if len(x) == 1:  # a band of no width can't be seen
        axis.errorbar(x, line.mean, sem, color=color, elinewidth=1.2, zorder=2)
    axis.plot(x, line.mean, color=color, marker="o" if few else "", markersize=3.5, label=label, zorder=3)
