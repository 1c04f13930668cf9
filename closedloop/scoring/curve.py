"""The curve of an evolution: evolved images against references, generation by generation."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from closedloop.scoring.repeats import Averages, average_by


@dataclass(frozen=True, eq=False)
class Curve:
    """Mean, standard error over images, and number of images, one entry a generation.

    Attributes:
        generations: int64 (g,), 0 to the last one.
        evolved: of the images that evolve.
        reference: of those that do not.
    """

    generations: NDArray[np.int64]
    evolved: Averages
    reference: Averages


def curve(generations: ArrayLike, is_reference: ArrayLike, scores: ArrayLike) -> Curve:
    """Return the evolved-versus-reference curve.

    Args:
        generations: int (k,), the generation of each score, from 0.
        is_reference: bool (k,).
        scores: float (k,), one for each image and generation; NaN where there is none.
    """
    generation = np.asarray(generations, dtype=np.int64)
    reference = np.asarray(is_reference, dtype=bool)
    score = np.asarray(scores, dtype=np.float64)
    count = int(generation.max()) + 1 if len(generation) else 0
    return Curve(
        np.arange(count),
        average_by(generation[~reference], score[~reference], count),
        average_by(generation[reference], score[reference], count),
    )
