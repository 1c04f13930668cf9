"""Intervals between events, as a protocol's section says."""

from __future__ import annotations

import math

import numpy as np
import numpy.typing as npt

from closedloop.protocol.sections.scan_design import Interval

_BISECTIONS = 200


def draw_intervals(spec: Interval, count: int, rng: np.random.Generator) -> npt.NDArray[np.float64]:
    """Return so many intervals, in the units of the section.

    Drawn ones are the ``count`` evenly spaced quantiles of their distribution in an order that is drawn: so
    every run has the mean that was asked for, and all runs of a design last the same.

    Args:
        spec: the section.
        count: how many, at least 0.
        rng: draws the order.
    """
    if spec.draw == "given":
        return np.resize(np.array(spec.values), count) if count else np.zeros(0)
    if spec.draw == "fixed":
        return np.full(count, spec.mean, dtype=np.float64)
    shortest, longest = spec.shortest or 0.0, spec.longest or 0.0
    at = (rng.permutation(count) + 0.5) / max(count, 1)
    if spec.draw == "uniform":
        return shortest + at * (longest - shortest)
    span = longest - shortest
    rate = exponential_rate((spec.mean or 0.0) - shortest, span)
    drawn: npt.NDArray[np.float64] = shortest - np.log1p(-at * -math.expm1(-rate * span)) / rate
    return drawn


def exponential_rate(mean: float, span: float) -> float:
    """Return the rate of an exponential distribution that, cut off at ``span``, has that mean.

    Args:
        mean: above 0 and below ``span / 2``.
        span: where it is cut off.
    """
    low, high = 1e-9 / span, 1e3 / mean
    for _ in range(_BISECTIONS):
        rate = math.sqrt(low * high)
        # for a large rate the cut takes nothing away, and expm1 would overflow
        tail = span / math.expm1(rate * span) if rate * span < 700 else 0.0
        low, high = (rate, high) if 1 / rate - tail > mean else (low, rate)
    return math.sqrt(low * high)
