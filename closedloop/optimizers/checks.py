"""Checks of the arrays handed to an optimizer."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from closedloop.errors import CodeError


def checked_scores(where: str, scores: Any, n: int) -> NDArray[np.float64]:
    """Return a private float64 copy of ``scores``.

    Raises:
        CodeError: not n numbers, or some of them infinite.
    """
    expected = f"{n} scores, one a code, as a one-dimensional array of numbers"
    remedy = "Hand over one score a code, in the order of the codes, NaN for a code without a score."
    try:
        array = np.array(scores, dtype=np.float64)
    except (TypeError, ValueError) as error:
        raise CodeError(
            where, found=f"no array of numbers ({error})", expected=expected, remedy=remedy
        ) from error
    if array.shape != (n,):
        raise CodeError(where, found=f"scores of shape {array.shape}", expected=expected, remedy=remedy)
    if np.isinf(array).any():
        rows = np.flatnonzero(np.isinf(array))
        raise CodeError(
            where,
            found=f"infinite scores for {len(rows)} codes, the first in row {rows[0]}",
            expected="finite scores, or NaN",
            remedy="An infinite score comes from a division by zero; make it NaN, so that the code is shown again.",
        )
    return array


def checked_codes(where: str, codes: Any, width: int, most: int) -> NDArray[np.float32]:
    """Return a private float32 copy of ``codes``, shape (k, width) with 1 <= k <= most.

    Raises:
        CodeError: wrong shape, not numbers, not finite as float32, none at all or too many.
    """
    expected = f"1 to {most} codes of {width} finite numbers each, as an array (codes, {width})"
    remedy = f"Give codes made for this generator (code size {width}), no more than the population."
    try:
        with np.errstate(over="ignore"):
            array = np.array(codes, dtype=np.float32, order="C")
    except (TypeError, ValueError) as error:
        raise CodeError(
            where, found=f"no array of numbers ({error})", expected=expected, remedy=remedy
        ) from error
    if array.ndim != 2 or array.shape[1] != width or not 1 <= len(array) <= most:
        raise CodeError(where, found=f"an array of shape {array.shape}", expected=expected, remedy=remedy)
    if not np.isfinite(array).all():
        row = int(np.flatnonzero(~np.isfinite(array).all(axis=1))[0])
        raise CodeError(
            where, found=f"a number that is not finite in row {row}", expected=expected, remedy=remedy
        )
    return array
