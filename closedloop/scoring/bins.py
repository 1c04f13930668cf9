"""Samples that stand for bins of time: how they lie, and how much of each lies in a window.

The bin of a sample ends at its stamp and is one nominal bin wide, but never begins before the sample before
it: stamps that come a little early or late then neither count any time twice nor move the bins.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from closedloop.scoring.records import EDGE_S, Kind

Float64 = NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class Bins:
    """The bins that lie in a stretch of time.

    Attributes:
        starts_s: float64 (k,), ascending.
        ends_s: float64 (k,), the stamps, ascending.
        rows: slice of the samples that they come from.
        newest_s: the newest stamp of all samples, -inf if there is none.
    """

    starts_s: Float64
    ends_s: Float64
    rows: slice
    newest_s: float


def bins_in(times_s: Float64, bin_s: float, start_s: float, end_s: float) -> Bins:
    """Return the bins that share more than a rounding error with ``start_s`` to ``end_s``.

    Args:
        times_s: float64 (n,), ascending stamps.
        bin_s: nominal bin width.
        start_s: begin of the stretch.
        end_s: end of the stretch.
    """
    first = int(np.searchsorted(times_s, start_s + EDGE_S, side="right"))
    last = int(np.searchsorted(times_s, end_s + bin_s - EDGE_S, side="left"))
    ends = times_s[first:last]
    before = times_s[first - 1 : first] if first else np.array([-np.inf])
    starts = np.maximum(ends - bin_s, np.concatenate([before, ends[:-1]])[: len(ends)])
    # a bin that begins where the stretch ends has no part in it
    inside = int(np.searchsorted(starts, end_s - EDGE_S, side="left"))
    newest = float(times_s[-1]) if len(times_s) else -np.inf
    return Bins(starts[:inside], ends[:inside], slice(first, first + inside), newest)


def holes(bins: Bins, start_s: float, end_s: float) -> tuple[Float64, Float64]:
    """Return begin and end, each float64 (k + 1,), of the time before, between and after the bins.

    Where there is none, the two are the same.
    """
    begins = np.concatenate([[start_s], np.minimum(bins.ends_s, end_s)])
    ends = np.concatenate([np.maximum(bins.starts_s, start_s), [end_s]])
    return begins, np.maximum(ends, begins)


def overlaps(bins: Bins, start_s: float, end_s: float) -> Float64:
    """Return how long each bin lies between ``start_s`` and ``end_s``, float64 (k,), 0 if not at all."""
    shared: Float64 = np.minimum(bins.ends_s, end_s) - np.maximum(bins.starts_s, start_s)
    return shared.clip(min=0.0)


def count_in(bins: Bins, start_s: float, end_s: float) -> int:
    """Return how many of the stamps lie after ``start_s`` and not after ``end_s``."""
    first, last = np.searchsorted(bins.ends_s, [start_s + EDGE_S, end_s + EDGE_S], side="right")
    return int(last - first)


def rates_of(values: NDArray[np.generic], kind: Kind, bin_s: float) -> Float64:
    """Return samples (k, units) of kind rates or counts as spikes/s, float64."""
    rates = values.astype(np.float64)
    return rates / bin_s if kind is Kind.COUNTS else rates
