"""How far two ways of scoring agree, generation by generation."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from closedloop.replay.rescoring.rescore import RescoredThread
from closedloop.report.figures import style

_LINES = (
    ("rank_correlation", "rank correlation", "-"),
    ("same_parents", "same parents", "--"),
    ("same_elite", "same best", ":"),
)


def draw_agreement(threads: Sequence[RescoredThread]) -> bytes:
    """Draw one panel a thread, side by side."""
    with style.look():
        columns = min(2, len(threads))
        rows = -(-len(threads) // columns)
        figure, axes = style.panels(columns, 2.6 * rows, rows=rows, share_y=True)
        for axis, thread in zip(axes, threads, strict=False):
            numbers = [one.generation for one in thread.generations]
            lowest = 0.0
            for name, label, dashes in _LINES:
                values = np.array([getattr(one, name) for one in thread.generations], dtype=np.float64)
                if np.isfinite(values).any():
                    lowest = min(lowest, float(np.nanmin(values)))
                    marker = "o" if len(numbers) < 25 else ""
                    axis.plot(
                        numbers,
                        values,
                        dashes,
                        marker=marker,
                        markersize=3.5,
                        color=style.PARTS[[n for n, _, _ in _LINES].index(name) * 2],
                        label=label,
                    )
            axis.set_ylim(min(0.0, lowest) - 0.04, 1.04)
            axis.set_xlabel("generation")
            style.whole_ticks(axis.xaxis)
            if len(threads) > 1:
                axis.set_title(thread.name, color=style.thread_color(thread.index))
            if axis.get_legend_handles_labels()[0]:  # none where nothing had a response
                axis.legend(loc="lower left", labelcolor="linecolor", handlelength=2.4, ncols=3)
        for axis in axes[len(threads) :]:
            axis.remove()
        return style.svg(figure)
