"""Histograms of times that should all be the same, or small."""

from __future__ import annotations

import numpy as np

from closedloop.ports import Float64
from closedloop.report.figures import style


def draw_intervals(intervals_ms: Float64, period_ms: float) -> bytes:
    """Draw flip intervals on a logarithmic count axis, whole periods marked."""
    with style.look():
        figure, (axis,) = style.panels(1, 2.6)
        low = min(float(intervals_ms.min()), period_ms * 0.9) if period_ms > 0 else float(intervals_ms.min())
        high = max(float(intervals_ms.max()), period_ms * 1.1) if period_ms > 0 else float(intervals_ms.max())
        bins = int(np.clip(4 * np.sqrt(len(intervals_ms)), 40, 160))
        counts, edges = np.histogram(intervals_ms, bins=bins, range=(low, high))
        axis.stairs(counts, edges, fill=True, color=style.THREADS[0])
        axis.set_yscale("log")
        if period_ms > 0:
            for multiple in range(1, min(8, int(high / period_ms) + 1) + 1):
                if multiple * period_ms > high * 1.02:
                    break
                text = "one period" if multiple == 1 else f"{multiple} periods"
                axis.axvline(
                    multiple * period_ms,
                    color=style.BAD if multiple > 1 else style.MUTED,
                    linewidth=0.9,
                    linestyle=(0, (4, 3)),
                    zorder=0,
                )
                axis.text(
                    multiple * period_ms,
                    1.0,
                    text,
                    transform=axis.get_xaxis_transform(),
                    ha="center",
                    va="bottom",
                    size=7.5,
                    color=style.MUTED,
                )
        axis.set_ylim(bottom=0.7)
        axis.yaxis.set_major_formatter("{x:,.0f}")
        axis.set_xlabel("time from one flip to the next (ms)")
        axis.set_ylabel("flips (log scale)")
        return style.svg(figure)


def draw_delays(delays_ms: dict[str, Float64]) -> bytes:
    """Draw cumulative shares of delays, one line each."""
    with style.look():
        figure, (axis,) = style.panels(1, 2.5)
        for index, (name, delays) in enumerate(delays_ms.items()):
            ordered = np.sort(delays)
            keep = np.unique(np.linspace(0, len(ordered) - 1, min(len(ordered), 400)).astype(int))
            axis.step(
                ordered[keep],
                100 * (keep + 1) / len(ordered),
                where="post",
                color=style.THREADS[index],
                label=name,
            )
        axis.set_ylim(0, 102)
        axis.set_xlim(left=min(0.0, *(float(delays.min()) for delays in delays_ms.values())))
        axis.set_xlabel("delay (ms)")
        axis.set_ylabel("chunks at or below (%)")
        axis.legend(loc="lower right", labelcolor="linecolor", handlelength=1.2)
        return style.svg(figure)
