"""Several trials of one image become one score."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray


@dataclass(frozen=True, eq=False)
class Averages:
    """One entry for each image.

    Attributes:
        mean: float64 (images,), of the valid trials; NaN without any.
        sem: float64 (images,), standard error of the mean (ddof 1); NaN below two valid trials.
        n: int64 (images,), valid trials.
    """

    mean: NDArray[np.float64]
    sem: NDArray[np.float64]
    n: NDArray[np.int64]


def average_by(groups: ArrayLike, values: ArrayLike, n_groups: int) -> Averages:
    """Return mean, standard error and number of the values of each group; NaN values are left out.

    Args:
        groups: int (k,), the group (image, generation) of each value, from 0 and below ``n_groups``.
        values: float (k,), NaN where a trial was invalid.
        n_groups: how many groups there are.
    """
    group = np.asarray(groups, dtype=np.int64)
    value = np.asarray(values, dtype=np.float64)
    valid = ~np.isnan(value)
    group, value = group[valid], value[valid]
    n = np.bincount(group, minlength=n_groups)
    with np.errstate(invalid="ignore", divide="ignore"):  # no trials: 0 / 0 is the NaN that is meant
        mean = np.bincount(group, weights=value, minlength=n_groups) / n
        # from the deviations, not from the sum of squares, which cancels for large means
        squares = np.bincount(group, weights=(value - mean[group]) ** 2, minlength=n_groups)
        sem = np.sqrt(squares / np.where(n > 1, n - 1, np.nan) / n)
    return Averages(mean, sem, n)
