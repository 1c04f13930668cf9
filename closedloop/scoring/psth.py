"""Peri-stimulus time histogram: the mean rate in bins around many onsets, for the report."""

from __future__ import annotations

import warnings
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from closedloop.errors import ProtocolError
from closedloop.scoring.bins import bins_in, rates_of
from closedloop.scoring.records import EDGE_S, Kind, ResponseRule, Window

Float64 = NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class Psth:
    """Mean rate around onset.

    Attributes:
        edges_s: float64 (bins + 1,), relative to onset.
        rate_hz: float64 (bins, units that count), mean over the onsets that have samples there; NaN where
            none has.
        sem_hz: the same shape, standard error of that mean (ddof 1); NaN below two onsets.
        n: int64, the same shape, how many onsets had samples there.
    """

    edges_s: Float64
    rate_hz: Float64
    sem_hz: Float64
    n: NDArray[np.int64]

    @property
    def centres_s(self) -> Float64:
        """Middle of each bin, relative to onset."""
        middles: Float64 = (self.edges_s[1:] + self.edges_s[:-1]) / 2
        return middles


def psth(
    rule: ResponseRule,
    times_s: Float64,
    values: NDArray[Any],
    onsets_s: Float64,
    span: Window,
    bin_s: float,
) -> Psth:
    """Return the histogram of the units that count around ``onsets_s``.

    A bin of an onset is left out where samples are missing: binned kinds, more than the rule's tolerance;
    spikes, any part of it in a silence longer than the rule allows.

    Args:
        rule: kind, units and what the kind needs; its windows play no part.
        times_s: float64 (n,), ascending corrected stamps.
        values: as for ``respond``; spikes as (n, 1) or (n,).
        onsets_s: float64 (trials,), absolute.
        span: the time around onset that is shown.
        bin_s: width of the histogram's bins; the span is cut into as many whole ones as fit.

    Raises:
        ProtocolError: the kind has no time course, or no bin fits into the span.
    """
    n_bins = int((span.length_s + EDGE_S) / bin_s) if bin_s > EDGE_S else 0
    if n_bins < 1 or rule.kind is Kind.TRIALS:
        raise ProtocolError(
            "PSTH",
            found=f"bins of {bin_s * 1000:g} ms in {span.length_s * 1000:g} ms, kind {rule.kind.value}",
            expected="at least one bin, and a kind with a time course (rates, counts, spikes)",
            remedy="Choose other bins, or leave the PSTH out.",
        )
    edges = span.start_s + bin_s * np.arange(n_bins + 1, dtype=np.float64)
    course = _binned_course if rule.kind.binned else _spike_course
    rates = np.full((len(onsets_s), n_bins, len(rule.units)), np.nan)
    for row, onset in enumerate(onsets_s):
        rates[row] = course(rule, times_s, values, onset + edges)
    n = np.isfinite(rates).sum(axis=0)
    with warnings.catch_warnings(), np.errstate(invalid="ignore"):
        # bins that no onset has are NaN, which is what they should be
        warnings.simplefilter("ignore", RuntimeWarning)
        mean: Float64 = np.nanmean(rates, axis=0)
        sem: Float64 = np.nanstd(rates, axis=0, ddof=1) / np.sqrt(n.astype(np.float64))
    return Psth(edges, mean, sem, n)


def _binned_course(rule: ResponseRule, times_s: Float64, values: NDArray[Any], edges: Float64) -> Float64:
    bin_s = float(rule.bin_s or 0.0)
    bins = bins_in(times_s + rule.stamped_early_s, bin_s, edges[0], edges[-1])
    rates = rates_of(np.asarray(values)[bins.rows][:, list(rule.units)], rule.kind, bin_s)
    shared = np.minimum.outer(edges[1:], bins.ends_s) - np.maximum.outer(edges[:-1], bins.starts_s)
    shared = np.where(shared > EDGE_S, shared, 0.0)
    covered = shared.sum(axis=1)
    # one sample that is not finite spoils the bins that it lies in, and no others
    bad = ~np.isfinite(rates)
    spoilt = (shared > 0).astype(float) @ bad.astype(float) > 0
    with np.errstate(invalid="ignore", divide="ignore"):
        course: Float64 = (shared @ np.where(bad, 0.0, rates)) / covered[:, None]
    course[covered < np.diff(edges) - rule.slack_s - EDGE_S] = np.nan
    course[spoilt] = np.nan
    return course


def _spike_course(rule: ResponseRule, times_s: Float64, values: NDArray[Any], edges: Float64) -> Float64:
    units = np.asarray(values)
    units = units[:, 0] if units.ndim > 1 else units
    first = max(int(np.searchsorted(times_s, edges[0], side="right")) - 1, 0)
    last = int(np.searchsorted(times_s, edges[-1])) + 1
    stamps, units = times_s[first:last], units[first:last]
    course = np.empty((len(edges) - 1, len(rule.units)))
    for column, unit in enumerate(rule.units):
        # searchsorted counts stamps below each edge: bins are closed at the start and open at the end
        course[:, column] = np.diff(np.searchsorted(stamps[units == unit], edges)) / np.diff(edges)
    known = np.concatenate([[-np.inf], stamps, [np.inf]])
    for at in np.flatnonzero(np.diff(known) > float(rule.max_silence_s or np.inf) + EDGE_S):
        course[(edges[:-1] < known[at + 1] - EDGE_S) & (edges[1:] > known[at] + EDGE_S)] = np.nan
    return course
