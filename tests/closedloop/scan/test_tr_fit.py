from __future__ import annotations

import numpy as np
import pytest

from closedloop.scan.fit import NEAR, RunningFit, TrFit, fit_all

ZERO_S = 1e6  # a clock that has been running for days


def running(times_s: np.ndarray, tr_s: float = 2.0) -> RunningFit:
    fit = RunningFit(tr_s, 0.005)
    for place, time_s in enumerate(times_s):
        fit.add(float(place), float(time_s))
    return fit


def pulses(count: int, tr_s: float = 2.0, sd_s: float = 0.0, seed: int = 0) -> np.ndarray:
    times_s: np.ndarray = (
        ZERO_S + tr_s * np.arange(count) + np.random.default_rng(seed).normal(0, 1, count) * sd_s
    )
    return times_s


def fitted(fit: RunningFit, at: float = 0.0) -> TrFit:
    found = fit.fit(at)
    assert found is not None
    return found


def test_two_pulses_are_no_fit() -> None:
    assert running(pulses(2)).fit(0.0) is None


@pytest.mark.parametrize("count", [3, 5, NEAR - 1, NEAR, NEAR + 1, 100, 2000])
def test_an_even_sequence_is_fitted_to_the_digit(count: int) -> None:
    fit = fitted(running(pulses(count, 2.017)), at=4.0)
    assert fit.tr_s == pytest.approx(2.017, abs=1e-9)
    assert fit.start_s == pytest.approx(ZERO_S + 4 * 2.017, abs=1e-8)
    assert fit.n == count


@pytest.mark.parametrize("count", [8, 40, 300])
def test_standard_errors_say_how_far_off_tr_and_start_are(count: int) -> None:
    sd_s = 0.005
    errors = []
    for seed in range(60):
        fit = fitted(running(pulses(count, sd_s=sd_s, seed=seed)))
        errors.append(((fit.tr_s - 2) / fit.tr_se_s, (fit.start_s - ZERO_S) / fit.start_se_s))
    assert np.all(np.abs(np.mean(errors, axis=0)) < 0.5)
    assert np.all((np.std(errors, axis=0) > 0.65) & (np.std(errors, axis=0) < 1.45))


@pytest.mark.parametrize("wrong", [0, 3, 9])
def test_one_stamp_that_is_far_off_hardly_moves_the_fit(wrong: int) -> None:
    times_s = pulses(30)
    times_s[wrong] += 0.3
    fit = running(times_s)
    assert fitted(fit).tr_s == pytest.approx(2, abs=2e-4)
    assert fitted(fit).start_s == pytest.approx(ZERO_S, abs=3e-3)
    assert fit.predict(30) == pytest.approx(ZERO_S + 60, abs=1e-6)


def test_the_next_pulse_is_told_by_those_just_before_it() -> None:
    slow = ZERO_S + np.concatenate([2.0 * np.arange(100), 198 + 2.1 * np.arange(1, 30)])
    fit = running(slow)
    assert fit.predict(129) == pytest.approx(slow[-1] + 2.1, abs=1e-6)
    assert fit.place(slow[-1] + 2.1) == pytest.approx(129, abs=1e-6)


@pytest.mark.parametrize("change_s", [0.004, -0.02])
def test_a_tr_that_changes_evenly_bends_the_line_by_that_much(change_s: float) -> None:
    count = 300
    intervals_s = 2 + change_s * np.arange(count - 1) / (count - 2)
    bend = running(ZERO_S + np.concatenate([[0.0], np.cumsum(intervals_s)])).bend()
    assert bend is not None
    assert bend.change_s == pytest.approx(change_s, rel=0.03)


def test_a_straight_line_does_not_bend_beyond_its_error() -> None:
    bends = [running(pulses(60, sd_s=0.005, seed=seed)).bend() for seed in range(60)]
    ratios = [bend.change_s / bend.change_se_s for bend in bends if bend is not None]
    assert len(ratios) == 60
    assert 0.6 < np.std(ratios) < 1.4


def test_all_pulses_at_once_give_the_same_line_and_every_residual() -> None:
    times_s = pulses(200, 2.017, 0.003)
    times_s[50] += 0.2
    fit, rest_s = fit_all(np.arange(200.0), times_s, 3.0, 2.0)
    assert fit.tr_s == pytest.approx(2.017, abs=5 * fit.tr_se_s)
    assert fit.start_s == pytest.approx(ZERO_S + 3 * 2.017, abs=5 * fit.start_se_s)
    assert rest_s.shape == (200,)
    assert rest_s[50] == pytest.approx(0.2, abs=0.01)
    near = fitted(running(times_s), at=3.0)
    assert near.tr_s == pytest.approx(fit.tr_s, abs=fit.tr_se_s)
