"""One window of a stream whose samples stand for bins (kinds rates and counts).

Each step between two stamps may be off by a little, as senders' stamps are, but the number of samples in the
window must be right: single steps forgive jitter, the number shows what was lost or doubled under its cover.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from closedloop.scoring.bins import Bins, bins_in, count_in, holes, overlaps, rates_of
from closedloop.scoring.records import EDGE_S, Invalid, Kind, Reason, ResponseRule, Window

Float64 = NDArray[np.float64]


def measure_binned(
    rule: ResponseRule, times_s: Float64, values: NDArray[Any], onset_s: float, window: Window, name: str
) -> Float64 | Invalid:
    """Return the mean rate of each unit in one window, each bin weighted by how long it lies in it.

    Args:
        rule: how to measure.
        times_s: float64 (n,), ascending corrected stamps.
        values: (n, units of the stream).
        onset_s: time of the flip that showed the image.
        window: the window to measure, relative to onset.
        name: what to call the window in the words of an ``Invalid``.

    Returns:
        float64 (units of the stream,) spikes/s, or why there is none.
    """
    assert rule.bin_s is not None  # noqa: S101  # the rule's own check; for the type checker
    start, end = onset_s + window.start_s, onset_s + window.end_s
    bins = bins_in(times_s, rule.bin_s, start, end)
    if bins.newest_s < end - EDGE_S:
        return Invalid.not_covered(
            name, "the samples do not reach its end", max(bins.newest_s, start), end, onset_s
        )
    begins, ends = holes(bins, start, end)
    widest = int(np.argmax(ends - begins))
    # in a window as short as that, what is allowed could be all of it
    allowed = min(rule.slack_s, rule.tolerance_bins * window.length_s)
    if ends[widest] - begins[widest] > allowed + EDGE_S:
        return Invalid.not_covered(name, "samples are missing", begins[widest], ends[widest], onset_s)
    steps = np.diff(bins.ends_s)
    if len(steps) and steps.min() < rule.bin_s - rule.slack_s - EDGE_S:
        at = (bins.ends_s[int(np.argmin(steps))] - onset_s) * 1000
        apart = steps.min() * 1000
        detail = (
            f"{name}: two samples {apart:.2f} ms apart at {at:.1f} ms, in bins of {rule.bin_s * 1000:g} ms"
        )
        return Invalid(Reason.DOUBLED, detail)
    wrong = _wrong_number(rule, bins, start, end, name)
    if wrong is not None:
        return wrong
    rates = rates_of(values[bins.rows], rule.kind, rule.bin_s)
    used = rates[:, list(rule.units)]
    if not np.isfinite(used).all():
        row, column = np.argwhere(~np.isfinite(used))[0]
        at = (bins.ends_s[row] - onset_s) * 1000
        return Invalid(
            Reason.NOT_FINITE, f"{name}: unit {rule.units[column]} is {used[row, column]} at {at:.1f} ms"
        )
    if rule.kind is Kind.COUNTS and (used < 0).any():
        unit = rule.units[int(np.argwhere(used < 0)[0][1])]
        return Invalid(Reason.ARTEFACT, f"{name}: unit {unit} has a negative spike count")
    weights = overlaps(bins, start, end)
    with np.errstate(invalid="ignore"):  # units that do not count may hold NaN or infinity
        averaged: Float64 = (weights @ rates) / weights.sum()
    return averaged


def _wrong_number(rule: ResponseRule, bins: Bins, start_s: float, end_s: float, name: str) -> Invalid | None:
    """Say if there are more or fewer samples in a window than its length and jitter allow.

    A window of n bins, whole or not, holds the stamps of n samples but for less than one; stamps that lie
    within half the slack of their place at both of its edges add as many as fit into the slack.
    """
    assert rule.bin_s is not None  # noqa: S101  # the rule's own check; for the type checker
    there, due = count_in(bins, start_s, end_s), (end_s - start_s) / rule.bin_s
    if abs(there - due) <= 1 + (rule.slack_s + EDGE_S) / rule.bin_s:
        return None
    reason = Reason.NOT_COVERED if there < due else Reason.DOUBLED
    return Invalid(reason, f"{name}: {there} samples, where {due:.0f} are due")
