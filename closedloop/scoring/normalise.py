"""Scores relative to this generation's references, since the subject's answers drift within a session.

In 170 real sessions the answer to unchanging reference images fell to a median 0.92 of its start (5 to 95 %:
0.59 to 1.27). Within one generation every score moves alike, so what the optimizer does hardly changes; what
becomes comparable is one generation with another.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import ArrayLike, NDArray

Normalisation = Literal["off", "subtract", "divide"]

LEAST_REFERENCE_HZ = 0.5
"""Mean reference answers below this are no divisor: a twentieth of a spike in a window of 100 ms."""


@dataclass(frozen=True, eq=False)
class Normalised:
    """Normalised scores.

    Attributes:
        scores: float64 (n,); all NaN if they could not be normalised.
        reference_hz: mean of the finite reference answers; NaN without any.
        problem: why the scores could not be normalised, in plain words; None if they could.
    """

    scores: NDArray[np.float64]
    reference_hz: float
    problem: str | None = None


def normalise(
    scores: ArrayLike,
    references: ArrayLike,
    how: Normalisation,
    least_hz: float = LEAST_REFERENCE_HZ,
) -> Normalised:
    """Return scores minus, or divided by, the mean reference answer of their generation.

    Where that is impossible (no valid reference; to divide, a mean below ``least_hz``, which would blow up
    noise or, below 0, turn the order round) no score is invented: all are NaN, so that the optimizer carries
    every code over and they are shown again, and ``problem`` says why.

    Args:
        scores: float (n,), NaN where a code has none.
        references: float (k,), this generation's mean answer to each reference, NaN where there is none.
        how: ``off``, ``subtract`` or ``divide``.
        least_hz: smallest divisor, above 0.
    """
    score = np.array(scores, dtype=np.float64)
    known = np.asarray(references, dtype=np.float64)
    known = known[np.isfinite(known)]
    mean = float(known.mean()) if len(known) else float("nan")
    if how == "off":
        return Normalised(score, mean)
    problem = None
    if not len(known):
        problem = "no reference has a valid answer in this generation"
    elif how == "divide" and mean < least_hz:
        problem = f"the mean answer to the references is {mean:.3g}/s; below {least_hz:g}/s it is no divisor"
    if problem is not None:
        return Normalised(np.full_like(score, np.nan), mean, problem)
    return Normalised(score - mean if how == "subtract" else score / mean, mean)
