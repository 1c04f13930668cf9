"""One window of a stream of kind spikes: one unit number a sample, a sample a spike.

A stream of spikes is silent when nothing fires, and when it is broken. So silence is believed only up to
the rule's ``max_silence_s``; a sender with few units says that it is alive by samples with a negative number.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from closedloop.scoring.records import EDGE_S, Invalid, Reason, ResponseRule, Window

Float64 = NDArray[np.float64]


def measure_spikes(
    rule: ResponseRule, times_s: Float64, values: NDArray[Any], onset_s: float, window: Window, name: str
) -> Float64 | Invalid:
    """Return the spikes of each unit with window start <= stamp < window end, per second.

    Args:
        rule: how to measure.
        times_s: float64 (n,), ascending corrected stamps.
        values: (n, 1), unit numbers, negative for a sign of life.
        onset_s: time of the flip that showed the image.
        window: the window to measure, relative to onset.
        name: what to call the window in the words of an ``Invalid``.

    Returns:
        float64 (units of the stream,) spikes/s, or why there is none.
    """
    assert rule.max_silence_s is not None  # noqa: S101  # the rule's own check; for the type checker
    start, end = onset_s + window.start_s, onset_s + window.end_s
    # the window's samples with one neighbour on either side
    first = int(np.searchsorted(times_s, start, side="right")) - 1
    last = int(np.searchsorted(times_s, end - EDGE_S, side="left"))
    if last == len(times_s):
        newest = float(times_s[-1]) if len(times_s) else start
        return Invalid.not_covered(name, "no sample came after its end", max(newest, start), end, onset_s)
    if first < 0:
        return Invalid.not_covered(name, "no sample came before it", start, float(times_s[0]), onset_s)
    stamps = times_s[first : last + 1]
    silences = np.diff(stamps)
    if len(silences) and silences.max() > rule.max_silence_s + EDGE_S:
        at = int(np.argmax(silences))
        return Invalid.not_covered(name, "the stream was silent", stamps[at], stamps[at + 1], onset_s)
    inside = values[np.searchsorted(times_s, start) : np.searchsorted(times_s, end), 0]
    if not np.isfinite(inside).all():
        return Invalid(Reason.NOT_FINITE, f"{name}: a unit number is NaN or infinite")
    units = inside.astype(np.int64)
    if rule.all_units_known and (units >= rule.unit_count).any():
        detail = f"{name}: a spike of unit {units.max()}, where the protocol knows {rule.unit_count} units"
        return Invalid(Reason.UNKNOWN_UNIT, f"{detail} (from 0)")
    units = units[(units >= 0) & (units < rule.unit_count)]
    return np.bincount(units, minlength=rule.unit_count) / window.length_s
