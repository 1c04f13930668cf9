from __future__ import annotations

import numpy as np

from closedloop.loop.scorer import score_generation
from closedloop.loop.tally import Tally


def tally_of(values: dict[int, list[float]]) -> Tally:
    tally = Tally()
    for image, earned in values.items():
        for value in earned:
            tally.add(image, value)
    return tally


def test_repeats_are_averaged_and_told_by_row() -> None:
    scores = score_generation(0, 3, [7, 5, 6], [], tally_of({5: [10.0, 20.0], 7: [8.0]}), "off")
    np.testing.assert_array_equal(scores.told, [8.0, 15.0, np.nan])
    assert [(r.image, r.n) for r in scores.records] == [(7, 1), (5, 2), (6, 0)]
    assert scores.records[1].sem == 5.0
    assert scores.mean_evolved == 11.5
    assert scores.note is not None


def test_references_normalise_but_are_not_told() -> None:
    tally = tally_of({1: [30.0], 2: [10.0], 10: [10.0], 11: [30.0]})
    scores = score_generation(0, 0, [1, 2], [10, 11], tally, "divide")
    np.testing.assert_array_equal(scores.told, [1.5, 0.5])
    assert scores.mean_reference == 20.0
    assert scores.mean_evolved == 20.0
    assert len(scores.records) == 4
    assert scores.note is None


def test_without_a_valid_reference_nothing_is_invented() -> None:
    scores = score_generation(0, 0, [1], [10], tally_of({1: [30.0]}), "subtract")
    assert np.isnan(scores.told).all()
    assert scores.note is not None
    assert scores.mean_evolved == 30.0
