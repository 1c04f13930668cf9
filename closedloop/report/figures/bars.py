"""Stacked bars over generations: where dead time went, why trials did not count, frames missed."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from closedloop.ports import Float64
from closedloop.report.figures import style


def draw_bars(
    parts: Mapping[str, Float64], label: str, *, whole: bool = False, colors: tuple[str, ...] = style.PARTS
) -> bytes:
    """Draw one bar a generation, stacked by part.

    Args:
        parts: for each part (generations,) heights, NaN for none.
        label: of the y axis, with its unit.
        whole: heights are counts.
        colors: one a part, in turn.
    """
    with style.look():
        figure, (axis,) = style.panels(1, 2.5)
        count = len(next(iter(parts.values())))
        bottom = np.zeros(count)
        for index, (name, heights) in enumerate(parts.items()):
            known = np.nan_to_num(heights)
            axis.bar(
                np.arange(count),
                known,
                0.72 * min(1.0, count / 8),
                bottom,
                color=colors[index % len(colors)],
                label=name,
            )
            bottom += known
        axis.set_xlabel("generation")
        axis.set_ylabel(label)
        axis.margins(x=0.01)
        style.whole_ticks(axis.xaxis)
        if whole:
            style.whole_ticks(axis.yaxis)
        if len(parts) > 1:
            axis.legend(loc="upper left", bbox_to_anchor=(1.0, 1.0), handlelength=0.9, handleheight=0.9)
        return style.svg(figure)
