"""The response of one trial: spikes/s of each unit in the window after its onset, or why there is none."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from closedloop.errors import StreamMismatchError
from closedloop.scoring.binned_window import measure_binned
from closedloop.scoring.records import EDGE_S, Invalid, Kind, Reason, Response, ResponseRule
from closedloop.scoring.spike_window import measure_spikes

Float64 = NDArray[np.float64]


def still_open(times_s: Float64, window_end_s: float) -> bool:
    """Return whether samples may yet come that a window needs: none has reached its end.

    Args:
        times_s: float64 (n,), corrected stamps, in any order.
        window_end_s: end of the window, absolute; ``ResponseRule.end_s`` of the onset.
    """
    return len(times_s) == 0 or float(np.max(times_s)) < window_end_s - EDGE_S


def respond(rule: ResponseRule, times_s: Float64, values: NDArray[Any], onset_s: float) -> Response | Invalid:
    """Return the response of a trial to a stream of kind rates, counts or spikes.

    Binned kinds: the mean of the bins' rates, each weighted by how long it lies in the window. Spikes:
    how many samples of a unit have window start <= stamp < window end, divided by the window's length.

    Call it once ``still_open`` is False, or time is up: it judges by the samples that are there.

    Args:
        rule: how to measure.
        times_s: float64 (n,), corrected stamps. From ``rule.start_s(onset_s)`` on none may be left out.
            Bins end at their stamps, or ``rule.stamped_early_s`` later.
        values: rates and counts (n, units); spikes (n, 1) or (n,) of unit numbers, negative for a sample
            which only says that the stream is alive.
        onset_s: time of the flip that showed the image.

    Raises:
        StreamMismatchError: the arrays do not have the shapes that the rule needs.
    """
    values = _checked(rule, times_s, values)
    if rule.kind is Kind.TRIALS:
        raise StreamMismatchError(
            "samples of kind trials",
            found="a stream that is measured by its sender",
            expected="rates, counts or spikes",
            remedy="Use respond_to_trial for this kind.",
        )
    if not (np.diff(times_s) >= 0).all() or not np.isfinite(times_s).all():
        # a sample without a time is as good as lost; the hole that it leaves is then seen
        order = np.argsort(times_s, kind="stable")
        order = order[np.isfinite(times_s[order])]
        times_s, values = times_s[order], values[order]
    if rule.stamped_early_s:
        times_s = times_s + rule.stamped_early_s
    measure = measure_binned if rule.kind.binned else measure_spikes
    rates = measure(rule, times_s, values, onset_s, rule.window, "response window")
    if isinstance(rates, Invalid):
        return rates
    baseline: Float64 | None = None
    if rule.baseline is not None:
        below = measure(rule, times_s, values, onset_s, rule.baseline, "baseline window")
        if isinstance(below, Invalid):
            return below
        baseline = below
    return _believed(rule, rates, baseline)


def respond_to_trial(rule: ResponseRule, values: NDArray[Any], trial: int) -> Response | Invalid:
    """Return the response of a trial to a stream of kind trials, whose sender has measured it already.

    Args:
        rule: units and limits are used; windows are the sender's affair, and there is no baseline.
        values: (n, 1 + units), the trial's number and the rates.
        trial: the number, as sent in the markers.

    Raises:
        StreamMismatchError: the array does not have the shape that the rule needs.
    """
    values = _checked(rule, np.empty(len(values)), values)
    rows = np.flatnonzero(values[:, 0] == trial)
    if len(rows) == 0:
        return Invalid(Reason.NOT_COVERED, f"no sample came for trial {trial}")
    if len(rows) > 1:
        return Invalid(Reason.DOUBLED, f"{len(rows)} samples came for trial {trial}")
    rates = values[rows[0], 1:].astype(np.float64)
    if not np.isfinite(rates[list(rule.units)]).all():
        return Invalid(Reason.NOT_FINITE, f"NaN or infinite in the sample of trial {trial}")
    return _believed(rule, rates, None)


def _believed(rule: ResponseRule, rates_hz: Float64, baseline_hz: Float64 | None) -> Response | Invalid:
    for name, rates in (("response window", rates_hz), ("baseline window", baseline_hz)):
        if rule.max_rate_hz is None or rates is None:
            continue
        unit = max(rule.units, key=lambda one: rates[one])
        if rates[unit] > rule.max_rate_hz:
            detail = f"{name}: unit {unit} fired {rates[unit]:.1f}/s; the limit is {rule.max_rate_hz:g}/s"
            return Invalid(Reason.ARTEFACT, detail)
    if rule.in_percent and baseline_hz is not None:
        unit = min(rule.units, key=lambda one: baseline_hz[one])
        if not baseline_hz[unit] > 0:
            detail = (
                f"baseline window: unit {unit} is at {baseline_hz[unit]:g}, of which nothing is a percentage"
            )
            return Invalid(Reason.ARTEFACT, detail)
    return Response(rates_hz, baseline_hz)


def _checked(rule: ResponseRule, times_s: Float64, values: NDArray[Any]) -> NDArray[Any]:
    values = np.asarray(values)
    if rule.kind is Kind.SPIKES and values.ndim == 1:
        values = values[:, None]
    columns = {Kind.SPIKES: 1, Kind.TRIALS: 1 + rule.unit_count}.get(rule.kind, rule.unit_count)
    if np.shape(times_s) != (len(values),) or values.shape != (len(values), columns):
        raise StreamMismatchError(
            f"samples of kind {rule.kind.value}",
            found=f"stamps of shape {np.shape(times_s)} and values of shape {values.shape}",
            expected=f"as many stamps as samples, and {columns} columns",
            remedy="Compare the protocol's response section with the stream (closedloop streams).",
        )
    return values
