"""Curves of one line of text."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from closedloop.ports import Float64

BARS = "▁▂▃▄▅▆▇█"
WIDEST = 60


def sparkline(values: Sequence[float], widest: int = WIDEST) -> str:
    """Return numbers as a row of bars between their least and largest; a dot for NaN.

    Args:
        values: the numbers.
        widest: how many bars at most; each stands for several numbers where there are more.
    """
    return sparklines([values], widest)[0]


def sparklines(curves: Sequence[Sequence[float]], widest: int = WIDEST) -> list[str]:
    """Return curves as rows of bars between the least and the largest number of all, so that they compare."""
    rows = [_thinned(np.asarray(values, dtype=np.float64), widest) for values in curves]
    known = np.concatenate([row[np.isfinite(row)] for row in rows]) if rows else np.empty(0)
    low, high = (float(known.min()), float(known.max())) if len(known) else (0.0, 0.0)
    step = (high - low) or 1.0
    return [
        "".join(
            BARS[round((value - low) / step * (len(BARS) - 1))] if np.isfinite(value) else "·"
            for value in row
        )
        for row in rows
    ]


def _thinned(numbers: Float64, widest: int) -> Float64:
    if len(numbers) <= widest:
        return numbers
    parts = np.array_split(numbers, widest)
    return np.array([part[np.isfinite(part)].mean() if np.isfinite(part).any() else np.nan for part in parts])
