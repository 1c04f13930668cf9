"""The genetic algorithm against its published formulas. A changed formula fails here."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as npst
from pydantic import ValidationError
from scipy import stats

from closedloop.optimizers import GeneticAlgorithm, GeneticParameters, Origin, parent_odds
from closedloop.optimizers.genetic import breed

# Of a right formula, a test of chance below fails once in a million seeds; the seeds are fixed.
LEAST_P = 1e-6


def bred(scores, *, code_size=8, seed=0, generation=0, **parameters):
    """Return the generations before and after these scores."""
    chosen = GeneticParameters(**{"population": len(scores), **parameters})
    optimizer = GeneticAlgorithm(chosen, code_size=code_size, seed=seed)
    before = optimizer.ask()
    optimizer.tell(np.asarray(scores, float))
    return before, optimizer.ask()


# --- parents' odds -----------------------------------------------------------------------------


def test_odds_computed_by_hand():
    # std (ddof 0) of 0, 0, 3, 3 is 1.5; the 95th percentile is 3, so nothing is clipped.
    # kT = 1.5 / 0.5 = 3: weights exp(-1), exp(-1), 1, 1.
    weight = math.exp(-1)
    wanted = np.array([weight, weight, 1, 1]) / (2 + 2 * weight)
    assert parent_odds(np.array([0.0, 0, 3, 3]), 0.5) == pytest.approx(wanted, rel=1e-12)


def test_clipping_computed_by_hand():
    # 21 scores 0..19 and 1000: the 95th percentile lies at index 0.95 * 20 = 19 of the sorted, that is 19.
    scores = np.r_[np.arange(20.0), 1000.0]
    odds = parent_odds(scores, 2.0)
    assert odds[20] == pytest.approx(odds[19], rel=1e-12)  # the outlier fathers no more than the next
    # kT comes from the standard deviation before clipping, as in the published program
    kt = math.sqrt(((scores - scores.mean()) ** 2).sum() / 21) / 2.0
    assert odds[0] / odds[19] == pytest.approx(math.exp(-19 / kt), rel=1e-12)
    assert odds[7] / odds[8] == pytest.approx(math.exp(-1 / kt), rel=1e-12)


def test_the_percentile_is_interpolated():
    # of 0, 10 the 95th percentile is 9.5; std is 5; kT = 5: the ratio is exp(-9.5 / 5)
    odds = parent_odds(np.array([0.0, 10.0]), 1.0)
    assert odds[0] / odds[1] == pytest.approx(math.exp(-9.5 / 5), rel=1e-12)


def test_equal_scores_give_equal_odds():
    assert parent_odds(np.full(7, 42.0), 2.0) == pytest.approx(np.full(7, 1 / 7))


def test_kt_has_a_floor():
    # std is 0.5e-12: without the floor of 1e-8 the ratio would be exp(-4); with it nearly 1
    odds = parent_odds(np.array([0.0, 1e-12]), 2.0)
    assert odds[0] / odds[1] == pytest.approx(1, abs=1e-3)


def test_codes_without_a_score_are_no_parents_and_change_no_odds():
    with_gaps = parent_odds(np.array([np.nan, 1, 5, np.nan, 2]), 1.3)
    assert with_gaps[[0, 3]].tolist() == [0, 0]
    assert with_gaps[[1, 2, 4]] == pytest.approx(parent_odds(np.array([1.0, 5, 2]), 1.3))


def test_without_any_score_there_are_no_odds():
    assert parent_odds(np.full(3, np.nan), 2.0).tolist() == [0, 0, 0]


def test_one_score_makes_the_only_parent():
    assert parent_odds(np.array([np.nan, -4.0, np.nan]), 2.0).tolist() == [0, 1, 0]


finite = st.floats(-1e6, 1e6)


@given(npst.arrays(float, st.integers(1, 30), elements=finite), st.floats(0.01, 100))
def test_odds_sum_to_one_and_grow_with_the_score(scores, selectivity):
    odds = parent_odds(scores, selectivity)
    assert odds.sum() == pytest.approx(1)
    assert (np.diff(odds[np.argsort(scores, kind="stable")]) >= 0).all()


@given(
    npst.arrays(float, st.integers(2, 20), elements=st.floats(-1e3, 1e3).map(lambda x: round(x, 2))),
    st.floats(-100, 100),
    st.floats(0.5, 20),
)
def test_odds_depend_on_neither_offset_nor_unit_of_the_scores(scores, offset, factor):
    assert parent_odds(scores * factor + offset, 1.5) == pytest.approx(
        parent_odds(scores, 1.5), rel=1e-4, abs=1e-9
    )


def test_parents_are_drawn_by_the_odds_and_independently():
    n, scores = 6, np.array([3.0, 10, 25, 7, np.nan, 30])
    odds = parent_odds(scores, 2.0)
    drawn = []
    for seed in range(4000):
        _, after = bred(scores, code_size=1, seed=seed)
        drawn.append(after.parents[after.origin == Origin.BRED])
    pairs = np.concatenate(drawn)
    assert pairs.shape == (4000 * (n - 1), 2)
    joint = np.bincount(pairs[:, 0] * n + pairs[:, 1], minlength=n * n)
    wanted = np.outer(odds, odds).ravel() * len(pairs)
    possible = wanted > 0
    assert joint[~possible].sum() == 0
    assert stats.chisquare(joint[possible], wanted[possible]).pvalue > LEAST_P
    # and the draw is fine enough to tell the formula from near ones
    for wrong in (parent_odds(scores, 1.8), parent_odds(np.minimum(scores, 29), 2.0)):
        expected = np.outer(wrong, wrong).ravel() * len(pairs)
        assert stats.chisquare(joint[possible], expected[possible]).pvalue < LEAST_P


# --- mixing and mutating -----------------------------------------------------------------------


def children_of(zero_and_one, **parameters):
    """Breed 200 children of 5,000 numbers from a first parent of all 100s and a second of all 200s."""
    codes = np.array([np.full(5000, 100), np.full(5000, 200)], np.float32)
    pairs = np.tile(np.array(zero_and_one, np.int32), (200, 1))
    return breed(codes, pairs, GeneticParameters(**parameters), np.random.default_rng(1))


@pytest.mark.parametrize("heritability", [0.0, 0.25, 0.5, 0.75, 1.0])
def test_share_of_numbers_from_the_first_parent(heritability):
    children = children_of([0, 1], heritability=heritability, mutation_rate=0)
    assert set(np.unique(children)) <= {100, 200}
    from_first = int((children == 100).sum())
    assert stats.binomtest(from_first, children.size, heritability).pvalue > LEAST_P


def test_each_number_comes_from_its_own_draw():
    from_first = children_of([0, 1], heritability=0.5, mutation_rate=0) == 100
    # neighbouring numbers and neighbouring children agree half the time
    for axis in (0, 1):
        moved = np.moveaxis(from_first, axis, 0)
        same = moved[1:] == moved[:-1]
        assert stats.binomtest(int(same.sum()), same.size, 0.5).pvalue > LEAST_P


@pytest.mark.parametrize("rate", [0.0, 0.05, 0.25, 0.5, 1.0])
def test_share_of_mutated_numbers(rate):
    children = children_of([0, 0], mutation_rate=rate, mutation_size=10)
    mutated = int((children != 100).sum())
    # a step too small for float32 around 100 looks like none: below 4e-6 of 10, hence 4e-7 of all
    assert stats.binomtest(mutated, children.size, rate).pvalue > LEAST_P or (rate == 1 and mutated > 999_990)


@pytest.mark.parametrize("size", [0.1, 0.5, 0.75, 3.0])
def test_mutations_are_normal_with_the_given_size(size):
    codes = np.zeros((1, 5000), np.float32)
    pairs = np.zeros((200, 2), np.int32)
    parameters = GeneticParameters(mutation_rate=0.5, mutation_size=size)
    steps = breed(codes, pairs, parameters, np.random.default_rng(2))
    steps = steps[steps != 0].astype(float)
    assert stats.kstest(steps / size, "norm").pvalue > LEAST_P
    # the Kolmogorov test is weak in scale: chi-square of the variance
    squares = ((steps / size) ** 2).sum()
    assert LEAST_P < stats.chi2.cdf(squares, len(steps)) < 1 - LEAST_P


def test_mutation_does_not_depend_on_the_parent():
    codes = np.array([np.zeros(5000), np.full(5000, 64)], np.float32)
    pairs = np.tile(np.array([0, 1], np.int32), (100, 1))
    parameters = GeneticParameters(heritability=0.5, mutation_rate=0.3, mutation_size=1)
    children = breed(codes, pairs, parameters, np.random.default_rng(3))
    first = children < 32
    for mine, value in ((first, 0), (~first, 64)):
        mutated = int((children[mine] != value).sum())
        assert stats.binomtest(mutated, int(mine.sum()), 0.3).pvalue > LEAST_P


def test_numbers_that_are_not_mutated_are_the_parents_to_the_bit():
    codes = np.random.default_rng(0).normal(size=(4, 300)).astype(np.float32)
    codes[:, 0] = -0.0
    pairs = np.array([[0, 1], [2, 3], [1, 1]], np.int32)
    children = breed(codes, pairs, GeneticParameters(mutation_rate=0), np.random.default_rng(0))
    bits, parent_bits = children.view(np.uint32), codes.view(np.uint32)
    assert ((bits == parent_bits[pairs[:, 0]]) | (bits == parent_bits[pairs[:, 1]])).all()
    assert np.array_equal(bits[2], parent_bits[1])


def test_the_order_in_memory_plays_no_part():
    codes = np.random.default_rng(0).normal(size=(4, 300)).astype(np.float32)
    pairs = np.array([[0, 1], [2, 3], [1, 1]], np.int32)
    bred_from = [
        breed(one, pairs, GeneticParameters(), np.random.default_rng(5))
        for one in (codes, np.asfortranarray(codes))
    ]
    assert np.array_equal(*bred_from)


def test_breeding_leaves_the_parents_alone():
    codes = np.ones((2, 50), np.float32)
    breed(codes, np.zeros((9, 2), np.int32), GeneticParameters(mutation_rate=1), np.random.default_rng(0))
    assert (codes == 1).all()


# --- what is kept ------------------------------------------------------------------------------


def test_the_best_are_kept_unchanged_best_first():
    before, after = bred([5, 9, 1, 7, 3, 8], n_conserve=3)
    assert after.origin.tolist() == [Origin.ELITE] * 3 + [Origin.BRED] * 3
    assert after.parents[:3].tolist() == [[1, -1], [5, -1], [3, -1]]
    assert after.codes[:3].tobytes() == before.codes[[1, 5, 3]].tobytes()


def test_clipping_does_not_make_the_best_a_tie():
    # 40 scores, the last three above the 95th percentile, hence clipped to one value
    scores = np.r_[np.arange(37.0), 150, 200, 300]
    _, after = bred(scores, n_conserve=3)
    assert after.parents[:3, 0].tolist() == [39, 38, 37]


def test_of_equal_scores_the_earlier_row_is_kept():
    _, after = bred([4, 7, 7, 7, 1], n_conserve=2)
    assert after.parents[:2, 0].tolist() == [1, 2]


def test_none_conserved_means_all_bred():
    before, after = bred(np.arange(20.0), n_conserve=0)
    assert set(after.origin.tolist()) == {Origin.BRED}
    assert not any((after.codes == code).all(axis=1).any() for code in before.codes)


def test_codes_without_a_score_are_carried_over_unchanged():
    before, after = bred([5, np.nan, 1, np.nan, 3, 8], n_conserve=2)
    assert after.origin.tolist() == [Origin.ELITE] * 2 + [Origin.BRED] * 2 + [Origin.CARRIED] * 2
    assert after.codes[4:].tobytes() == before.codes[[1, 3]].tobytes()
    assert after.parents[4:].tolist() == [[1, -1], [3, -1]]
    assert not np.isin(after.parents[2:4], [1, 3]).any()


def test_without_any_score_everything_is_carried_over():
    before, after = bred([np.nan] * 5, n_conserve=2)
    assert after.generation == before.generation + 1
    assert after.codes.tobytes() == before.codes.tobytes()
    assert after.origin.tolist() == [Origin.CARRIED] * 5


def test_one_score_fathers_all_children():
    _, after = bred([np.nan, 2, np.nan, np.nan], n_conserve=0)
    assert after.origin.tolist() == [Origin.BRED] + [Origin.CARRIED] * 3
    assert after.parents[0].tolist() == [1, 1]


def test_when_kept_codes_fill_the_generation_nothing_is_bred():
    before, after = bred([3, np.nan, 9, np.nan], n_conserve=3)
    assert after.origin.tolist() == [Origin.ELITE] * 2 + [Origin.CARRIED] * 2
    assert after.codes.tobytes() == before.codes[[2, 0, 1, 3]].tobytes()


@given(
    npst.arrays(float, st.integers(2, 12), elements=st.floats(-1e3, 1e3) | st.just(np.nan)),
    st.integers(0, 11),
    st.integers(0, 1000),
)
def test_whatever_the_scores_the_population_keeps_its_size_and_its_rules(scores, n_conserve, seed):
    n_conserve = min(n_conserve, len(scores) - 1)
    before, after = bred(scores, n_conserve=n_conserve, seed=seed)
    missing = np.flatnonzero(np.isnan(scores))
    elite, carried = after.origin == Origin.ELITE, after.origin == Origin.CARRIED
    assert len(after) == len(scores)
    assert elite.sum() == min(n_conserve, len(scores) - len(missing))
    assert after.parents[carried, 0].tolist() == missing.tolist()
    kept = elite | carried
    assert np.array_equal(after.codes[kept], before.codes[after.parents[kept, 0]])
    best = np.sort(scores[~np.isnan(scores)])[::-1][: elite.sum()]
    assert np.array_equal(scores[after.parents[elite, 0]], best)
    assert np.isfinite(after.codes).all()


# --- first generation --------------------------------------------------------------------------


def test_too_few_given_codes_are_topped_up_by_mating():
    codes = np.array([np.full(400, 100), np.full(400, 200), np.full(400, 300)], np.float32)
    parameters = GeneticParameters(population=300, mutation_rate=0.5, mutation_size=1)
    population = GeneticAlgorithm(parameters, code_size=400, seed=1, given=codes).ask()
    assert population.origin.tolist() == [Origin.GIVEN] * 3 + [Origin.BRED] * 297
    assert (population.parents[:3] == -1).all()
    pairs = population.parents[3:]
    # all given codes are alike as parents
    assert stats.chisquare(np.bincount(pairs.ravel(), minlength=3)).pvalue > LEAST_P
    # each child is a mix of its own two, mutated
    nearest = np.round(population.codes[3:] / 100).astype(int) - 1
    assert ((nearest == pairs[:, :1]) | (nearest == pairs[:, 1:])).all()
    mutated = int((population.codes[3:] % 100 != 0).sum())
    assert stats.binomtest(mutated, nearest.size, 0.5).pvalue > LEAST_P


# --- parameters --------------------------------------------------------------------------------


def test_the_xdream_preset():
    wanted = {
        "name": "genetic",
        "preset": "xdream",
        "population": 20,
        "mutation_rate": 0.5,
        "mutation_size": 0.5,
        "selectivity": 2.0,
        "heritability": 0.5,
        "n_conserve": 0,
    }
    assert GeneticParameters().model_dump() == wanted
    assert GeneticParameters(preset="xdream").model_dump() == wanted


def test_the_in_vivo_preset():
    assert GeneticParameters(preset="in-vivo").model_dump() == {
        "name": "genetic",
        "preset": "in-vivo",
        "population": 40,
        "mutation_rate": 0.25,
        "mutation_size": 0.75,
        "selectivity": 0.5,
        "heritability": 0.75,
        "n_conserve": 10,
    }


def test_what_is_given_comes_before_the_preset():
    chosen = GeneticParameters(preset="in-vivo", n_conserve=3)
    assert (chosen.n_conserve, chosen.population) == (3, 40)
    assert GeneticParameters.model_validate(chosen.model_dump()) == chosen


@pytest.mark.parametrize(
    "wrong",
    [
        {"population": 1},
        {"population": 2.5},
        {"mutation_rate": -0.1},
        {"mutation_rate": 1.1},
        {"mutation_rate": float("nan")},
        {"mutation_size": 0},
        {"mutation_size": float("inf")},
        {"selectivity": 0},
        {"selectivity": -1},
        {"heritability": 1.5},
        {"n_conserve": -1},
        {"n_conserve": 20},
        {"n_conserve": 10, "population": 10},
        {"preset": "xdreams"},
        {"preset": 3},
        {"mutation": 0.5},
    ],
    ids=str,
)
def test_impossible_parameters_are_refused(wrong):
    with pytest.raises(ValidationError):
        GeneticParameters(**wrong)


def test_parameters_are_frozen():
    with pytest.raises(ValidationError):
        GeneticParameters().population = 5


def test_it_climbs_a_simple_hill():
    """Sense check of the whole: codes come nearer to a target that only the scores know of."""
    target = np.random.default_rng(9).normal(size=50)
    optimizer = GeneticAlgorithm(GeneticParameters(preset="in-vivo"), code_size=50, seed=2)
    best = []
    for _ in range(60):
        distance = np.linalg.norm(optimizer.ask().codes - target, axis=1)
        best.append(distance.min())
        optimizer.tell(-distance)
    assert best[-1] < 0.6 * best[0]
