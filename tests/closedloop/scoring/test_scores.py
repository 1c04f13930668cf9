"""From responses to scores: units, repeats, normalisation, the curve."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from closedloop.errors import ProtocolError
from closedloop.scoring import Response, average_by, combine, combine_response, curve, normalise

RATES = np.array([10.0, 20.0, 40.0])


# --- units -------------------------------------------------------------------------------------


def test_units_combined_by_hand():
    assert combine(RATES, "one", [1]) == 20
    assert combine(RATES, "mean", [0, 2]) == 25
    assert combine(RATES, "weights", [0, 2], [2, -0.5]) == 0
    assert combine(RATES, "weights", [2, 0], [2, -0.5]) == 75


def test_units_that_do_not_count_play_no_part():
    assert combine(np.array([np.nan, 20, np.inf]), "mean", [1]) == 20


def test_the_baseline_is_combined_alike_and_subtracted():
    response = Response(RATES, np.array([1.0, 2, 3]))
    assert combine_response(response, "weights", [0, 1], [1, 2]) == 50
    assert combine_response(response, "weights", [0, 1], [1, 2], subtract_baseline=True) == 50 - 5
    with pytest.raises(ProtocolError, match="baseline"):
        combine_response(Response(RATES), "mean", [0], subtract_baseline=True)


@pytest.mark.parametrize(
    ("how", "units", "weights"),
    [
        ("one", [], None),
        ("one", [3], None),
        ("mean", [-1], None),
        ("one", [0, 1], None),
        ("weights", [0, 1], None),
        ("weights", [0, 1], [1]),
        ("weights", [0], [np.nan]),
    ],
)
def test_units_and_weights_that_do_not_fit_are_refused(how, units, weights):
    with pytest.raises(ProtocolError):
        combine(RATES, how, units, weights)


# --- repeats -----------------------------------------------------------------------------------


def test_repeats_by_hand():
    got = average_by([0, 0, 0, 1, 1, 2, 2], [2, 4, 6, np.nan, 5, np.nan, np.nan], 4)
    assert got.n.tolist() == [3, 1, 0, 0]
    assert got.mean[:2].tolist() == [4, 5]
    assert np.isnan(got.mean[2:]).all()
    # sample standard deviation of 2, 4, 6 is 2
    assert got.sem[0] == pytest.approx(2 / np.sqrt(3))
    assert np.isnan(got.sem[1:]).all()


@given(st.lists(st.tuples(st.integers(0, 4), st.floats(-1e6, 1e6)), max_size=40), st.sampled_from([0.0, 1e9]))
def test_repeats_are_what_scipy_says(pairs, offset):
    groups = [group for group, _ in pairs]
    values = np.array([value for _, value in pairs]) + offset
    got = average_by(groups, values, 5)
    for group in range(5):
        mine = values[np.array(groups, int) == group]
        assert got.n[group] == len(mine)
        assert got.mean[group] == pytest.approx(mine.mean() if len(mine) else np.nan, nan_ok=True)
        wanted = stats.sem(mine) if len(mine) > 1 else np.nan
        assert got.sem[group] == pytest.approx(wanted, rel=1e-6, abs=1e-6, nan_ok=True)


# --- normalisation -----------------------------------------------------------------------------


def test_normalised_by_hand():
    scores, references = [30.0, np.nan, 10.0], [10.0, np.nan, 30.0]
    assert normalise(scores, references, "off").scores == pytest.approx([30, np.nan, 10], nan_ok=True)
    assert normalise(scores, references, "subtract").scores == pytest.approx([10, np.nan, -10], nan_ok=True)
    divided = normalise(scores, references, "divide")
    assert divided.scores == pytest.approx([1.5, np.nan, 0.5], nan_ok=True)
    assert divided.reference_hz == 20
    assert divided.problem is None


@given(st.floats(0.1, 10), st.sampled_from(["divide"]))
def test_division_takes_out_a_drift_in_gain(gain, how):
    scores, references = np.array([5.0, 50, 20]), np.array([10.0, 12, 8])
    assert normalise(scores * gain, references * gain, how).scores == pytest.approx(scores / 10)


@given(st.floats(-100, 100))
def test_subtraction_takes_out_a_drift_in_offset(offset):
    scores, references = np.array([5.0, 50, 20]), np.array([10.0, 12, 8])
    assert normalise(scores + offset, references + offset, "subtract").scores == pytest.approx(scores - 10)


@pytest.mark.parametrize("references", [[0.0, 0.0], [0.4, 0.5], [-30.0, 10.0]])
def test_nothing_is_divided_by_next_to_nothing(references):
    got = normalise([1.0, 2.0], references, "divide")
    assert np.isnan(got.scores).all()
    assert "no divisor" in got.problem
    assert np.isfinite(normalise([1.0, 2.0], references, "subtract").scores).all()


@pytest.mark.parametrize("how", ["subtract", "divide"])
def test_without_references_nothing_is_normalised(how):
    for references in ([], [np.nan]):
        got = normalise([1.0, 2.0], references, how)
        assert np.isnan(got.scores).all()
        assert np.isnan(got.reference_hz)
        assert "no reference" in got.problem


def test_normalising_leaves_what_it_was_given_alone():
    scores = np.array([1.0, 2.0])
    normalise(scores, [1.0], "off").scores[0] = 9
    assert scores.tolist() == [1, 2]


# --- curve -------------------------------------------------------------------------------------


def test_a_curve_by_hand():
    got = curve([0, 0, 0, 1, 1, 1], [False, False, True, False, True, True], [1, 3, 9, np.nan, 4, 8])
    assert got.generations.tolist() == [0, 1]
    assert got.evolved.mean == pytest.approx([2, np.nan], nan_ok=True)
    assert got.evolved.n.tolist() == [2, 0]
    assert got.evolved.sem[0] == pytest.approx(1)
    assert got.reference.mean.tolist() == [9, 6]
    assert got.reference.n.tolist() == [1, 2]


def test_a_curve_of_nothing_is_empty():
    assert len(curve([], [], []).generations) == 0
