"""Many units become one number."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from closedloop.errors import ProtocolError
from closedloop.scoring.records import Response

How = Literal["one", "mean", "weights"]


def combine(
    rates_hz: NDArray[np.float64],
    how: How,
    units: Sequence[int],
    weights: Sequence[float] | None = None,
) -> float:
    """Return one number for the units that count.

    Args:
        rates_hz: float64 (units of the stream,).
        how: ``one``, the rate of the only unit named; ``mean``, of the units named; ``weights``, the sum
            of weight times rate, not divided by anything.
        units: the units that count.
        weights: for ``weights`` one number a unit named, of any sign.

    Raises:
        ProtocolError: units and weights do not fit ``how`` or the rates.
    """
    chosen = _chosen(rates_hz, how, units, weights)
    if how == "weights":
        return float(np.dot(np.asarray(weights, dtype=np.float64), chosen))
    return float(chosen.mean())


def combine_response(
    response: Response,
    how: How,
    units: Sequence[int],
    weights: Sequence[float] | None = None,
    *,
    subtract_baseline: bool = False,
    percent: bool = False,
) -> float:
    """Return one number for a response, minus that of its baseline if asked.

    Args:
        response: of one trial.
        how: as for ``combine``; likewise ``units`` and ``weights``.
        units: the units that count.
        weights: of each unit named.
        subtract_baseline: take the baseline's number away.
        percent: combine each unit's difference from its baseline, in percent of the baseline.

    Raises:
        ProtocolError: as ``combine``, or there is no baseline to compare with.
    """
    if not (subtract_baseline or percent):
        return combine(response.rates_hz, how, units, weights)
    if response.baseline_hz is None:
        raise ProtocolError(
            "response, baseline",
            found="no baseline",
            expected="a baseline window, and a kind of stream that has one",
            remedy="Give a baseline window, or do not subtract it.",
        )
    if percent:
        with np.errstate(invalid="ignore", divide="ignore"):  # units that do not count may hold anything
            change = 100 * (response.rates_hz / response.baseline_hz - 1)
        return combine(change, how, units, weights)
    return combine(response.rates_hz, how, units, weights) - combine(
        response.baseline_hz, how, units, weights
    )


def _chosen(
    rates_hz: NDArray[np.float64], how: How, units: Sequence[int], weights: Sequence[float] | None
) -> NDArray[np.float64]:
    problem = None
    if not units or min(units) < 0 or max(units) >= len(rates_hz):
        problem = f"units {list(units)} of a response of {len(rates_hz)}"
    elif how == "one" and len(units) != 1:
        problem = f"{len(units)} units where one is asked for"
    elif how == "weights" and (
        weights is None or len(weights) != len(units) or not np.isfinite(weights).all()
    ):
        problem = f"weights {weights} for {len(units)} units"
    if problem is not None:
        raise ProtocolError(
            "units",
            found=problem,
            expected="units of the stream; one for 'one', as many finite weights as units for 'weights'",
            remedy="Correct the thread's units section.",
        )
    return rates_hz[list(units)]
