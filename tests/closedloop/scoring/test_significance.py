"""Best two generations against the first two."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st
from scipy import stats

from closedloop.scoring import significance, welch


def session(means, *, n=20, spread=5.0, seed=0, references=None):
    """Return generations, is_reference, scores of an evolution with these mean scores."""
    rng = np.random.default_rng(seed)
    rows = []
    for generation, mean in enumerate(means):
        rows += [(generation, False, score) for score in rng.normal(mean, spread, n)]
        if references is not None:
            rows += [
                (generation, True, score) for score in rng.normal(references[generation], spread, n // 2)
            ]
    return tuple(np.array(column) for column in zip(*rows, strict=True))


groups = st.lists(st.integers(-1000, 1000).map(float), min_size=2, max_size=20)


@pytest.mark.filterwarnings("ignore:Precision loss")  # scipy's, where one of the groups has no spread
@given(groups, groups)
def test_welch_is_what_scipy_says(first, second):
    assume(np.var(first) + np.var(second) > 0)
    got = welch(first, second)
    wanted = stats.ttest_ind(second, first, equal_var=False)
    assert got.t == pytest.approx(wanted.statistic, rel=1e-6, abs=1e-9)
    assert got.df == pytest.approx(wanted.df, rel=1e-6)
    assert got.p == pytest.approx(wanted.pvalue, rel=1e-6, abs=1e-12)


def test_welch_leaves_nan_out_and_says_what_it_cannot_tell():
    assert welch([1, np.nan, 2, 3], [4, 5, 7]) == welch([1, 2, 3], [4, 5, 7])
    for first, second in (([1], [1, 2]), ([], [1, 2]), ([3, 3], [4, 4])):
        assert np.isnan(welch(first, second).p)


def test_the_best_two_are_compared_with_the_first_two():
    # generation 1 has the highest mean of all, but is one of the first
    generations, is_reference, scores = session([10, 99, 20, 60, 30, 50])
    got = significance(generations, is_reference, scores)
    assert (got.first, got.best) == ((0, 1), (3, 5))
    wanted = welch(scores[generations < 2], scores[np.isin(generations, [3, 5])])
    assert got.evolved == wanted
    assert got.evolved.n == (40, 40)
    assert got.reference is None


def test_an_evolution_that_rises_is_significant():
    got = significance(*session([10, 12, 15, 20, 25, 28], references=[15] * 6))
    assert got.significant
    assert got.evolved.t > 0
    # of 4 later generations 6 pairs could have been chosen
    assert got.p_corrected == pytest.approx(6 * got.evolved.p)
    assert any("no drift was found" in caveat for caveat in got.caveats)


def test_an_evolution_that_falls_is_not():
    got = significance(*session([50, 50, 20, 20, 20]))
    assert got.evolved.p < 1e-6
    assert not got.significant


def test_choosing_the_best_of_noise_is_paid_for():
    """With no effect at all, the plain p is too often small; the corrected one is not."""
    plain = corrected = 0
    for seed in range(200):
        got = significance(*session([20] * 12, seed=seed))
        plain += got.evolved.p < 0.05 and got.evolved.t > 0
        corrected += got.significant
    # by chance alone, 5 of 200 would rise with p below 0.05
    assert plain > 20
    assert corrected <= 10


def test_a_drift_of_the_references_is_said():
    got = significance(*session([10, 12, 15, 20, 25, 28], references=[10, 12, 15, 20, 25, 28]))
    assert got.reference.p < 0.05
    assert any("drifted" in caveat for caveat in got.caveats)
    without = significance(*session([10, 12, 15, 20, 25, 28]))
    assert any("no references" in caveat for caveat in without.caveats)


@pytest.mark.parametrize("count", [0, 1, 3])
def test_too_few_generations_give_no_test(count):
    arrays = session([10] * count) if count else ([], [], [])
    got = significance(*arrays)
    assert got.evolved is None
    assert not got.significant
    assert f"Only {count} generations" in got.caveats[0]


def test_generations_without_scores_are_passed_over():
    generations, is_reference, scores = session([10, 11, 12, 40, 41, 42])
    scores[np.isin(generations, [0, 4])] = np.nan
    got = significance(generations, is_reference, scores)
    assert (got.first, got.best) == ((1, 2), (3, 5))


def test_scores_without_spread_give_no_p():
    generations, is_reference, scores = session([10, 10, 30, 30], spread=0.0)
    got = significance(generations, is_reference, scores)
    assert np.isnan(got.evolved.p)
    assert not got.significant
    assert any("no spread" in caveat for caveat in got.caveats)


def test_the_choice_and_the_kinship_are_always_said():
    text = " ".join(significance(*session([10, 12, 15, 20])).caveats)
    for word in ("chosen because they are the best", "not independent", "one subject"):
        assert word in text
