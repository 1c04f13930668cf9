"""Turns the values of one generation into scores."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from closedloop.loop.tally import Tally
from closedloop.scoring import average_by, normalise
from closedloop.scoring.normalise import Normalisation
from closedloop.session import ScoreRecord


@dataclass(frozen=True, eq=False)
class GenerationScores:
    """The scores of one generation of one thread.

    Attributes:
        records: for the file; evolved images first, then references.
        told: float64 (n,), what the optimizer is told, by row; NaN where an image has no valid trial.
        mean_evolved: mean of the evolved images' values before normalisation; NaN for none.
        mean_reference: the same of the references.
        note: what was odd, in words; None if nothing was.
    """

    records: tuple[ScoreRecord, ...]
    told: npt.NDArray[np.float64]
    mean_evolved: float
    mean_reference: float
    note: str | None


def score_generation(
    thread: int,
    generation: int,
    evolved: Sequence[int],
    references: Sequence[int],
    tally: Tally,
    how: Normalisation,
) -> GenerationScores:
    """Average repeats and normalise by the generation's references.

    Args:
        thread: index of the thread.
        generation: index of the generation.
        evolved: image numbers in the order of the population's rows.
        references: image numbers of the references shown.
        tally: values earned.
        how: normalisation of the protocol.
    """
    images = [*evolved, *references]
    values = [tally.of(image) for image in images]
    groups = [group for group, earned in enumerate(values) for _ in earned]
    averages = average_by(groups, [value for earned in values for value in earned], len(images))
    n = len(evolved)
    normalised = normalise(averages.mean, averages.mean[n:], how)
    records = tuple(
        ScoreRecord(thread, generation, image, int(k), float(mean), float(sem), float(score))
        for image, k, mean, sem, score in zip(
            images, averages.n, averages.mean, averages.sem, normalised.scores, strict=True
        )
    )
    note = normalised.problem
    without = int((averages.n[:n] == 0).sum())
    if without and note is None:
        note = f"{without} of {n} evolved images have no valid trial; their codes are carried over"
    return GenerationScores(
        records,
        normalised.scores[:n].copy(),
        mean_of_known(averages.mean[:n]),
        normalised.reference_hz,
        note,
    )


def mean_of_known(values: npt.NDArray[np.float64]) -> float:
    """Return the mean of the values that are not NaN; NaN if none is."""
    known = values[~np.isnan(values)]
    return float(known.mean()) if len(known) else float("nan")
