"""Responses in volumes: which volumes count where an onset lies between two of them, and what is not believed."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from closedloop.loop.rules import VOLUME_TOLERANCE
from closedloop.scoring import (
    Invalid,
    Kind,
    Reason,
    Response,
    ResponseRule,
    Window,
    combine_response,
    respond,
)
from closedloop.scoring.haemodynamics import answer_to_image, mean_in, risen

TR_S = 2.0
WINDOW = Window(4.0, 6.0)


def rule(**more):
    return ResponseRule(Kind.RATES, WINDOW, 1, (0,), bin_s=TR_S, tolerance_bins=VOLUME_TOLERANCE, **more)


def measured(which, ends_s, values, onset_s) -> Response:
    result = respond(which, np.asarray(ends_s), np.asarray(values, dtype=float)[:, None], onset_s)
    assert isinstance(result, Response), result
    return result


def test_an_onset_with_a_volume_takes_whole_volumes():
    # volumes end at 102, 104, ...; the onset is the beginning of one, so the third after it is the window
    ends = 102.0 + TR_S * np.arange(6)
    assert measured(rule(), ends, [0, 0, 7, 0, 0, 0], 100.0).rates_hz[0] == pytest.approx(7)


@given(st.floats(0, 1.999))
def test_an_onset_between_two_volumes_takes_each_by_the_part_that_lies_in_the_window(late_s):
    ends = 102.0 + TR_S * np.arange(8)
    values = np.arange(8.0) ** 2
    share = late_s / TR_S
    wanted = (1 - share) * values[2] + share * values[3]
    assert measured(rule(), ends, values, 100.0 + late_s).rates_hz[0] == pytest.approx(wanted)


@given(st.floats(0, 1.999))
def test_the_stamp_may_be_of_either_end_of_the_volume(late_s):
    ends = 102.0 + TR_S * np.arange(8)
    values = np.arange(8.0) ** 2
    by_end = measured(rule(), ends, values, 100.0 + late_s)
    by_start = measured(rule(stamped_early_s=TR_S), ends - TR_S, values, 100.0 + late_s)
    assert by_start.rates_hz[0] == pytest.approx(by_end.rates_hz[0])


def test_a_sample_shows_that_the_window_is_covered_as_soon_as_its_volume_reaches_its_end():
    assert rule().last_stamp_s(100.0) == 106.0
    assert rule(stamped_early_s=TR_S).last_stamp_s(100.0) == 104.0


@pytest.mark.parametrize("missing", [2, 3])
def test_a_missing_volume_is_not_made_up(missing):
    ends = np.delete(102.0 + TR_S * np.arange(8), missing)
    result = respond(rule(), ends, np.ones((7, 1)), 101.0)
    assert isinstance(result, Invalid)
    assert result.reason is Reason.NOT_COVERED


def test_stamps_of_a_scanner_that_jitter_or_run_slow_are_believed():
    rng = np.random.default_rng(0)
    for tr_s in (2.0, 2.017):
        ends = 102.0 + tr_s * np.arange(8) + rng.uniform(-0.05, 0.05, 8)
        assert measured(rule(), ends, np.full(8, 5.0), 100.7).rates_hz[0] == pytest.approx(5)


def test_percent_signal_change_is_of_each_regions_own_baseline():
    response = Response(np.array([110.0, 505.0]), np.array([100.0, 500.0]))
    assert combine_response(response, "one", [0], percent=True) == pytest.approx(10)
    assert combine_response(response, "mean", [0, 1], percent=True) == pytest.approx(5.5)
    assert combine_response(response, "weights", [0, 1], [1, -2], percent=True) == pytest.approx(8)


def test_of_a_baseline_that_is_not_above_0_nothing_is_a_percentage():
    ends = 98.0 + TR_S * np.arange(8)
    which = rule(baseline=Window(-1.0, 1.0), in_percent=True)
    result = respond(which, ends, np.array([1.0, 0, 0, 0, 1, 1, 1, 1])[:, None], 101.0)
    assert isinstance(result, Invalid)
    assert result.reason is Reason.ARTEFACT


def test_the_double_gamma_peaks_after_five_seconds_and_undershoots():
    times = np.linspace(0, 40, 4001)
    impulse = np.diff(risen(times)) / np.diff(times)
    assert times[impulse.argmax()] == pytest.approx(5.0, abs=0.05)
    # SPM's own: the undershoot is a tenth of the peak, at 15 to 16 s
    assert impulse.min() / impulse.max() == pytest.approx(-0.089, abs=0.01)
    assert 14 < times[impulse.argmin()] < 17
    assert risen(60.0) == pytest.approx(1.0)
    assert (risen([-5.0, 0.0]) == 0).all()


def test_an_answer_is_linear_in_time_on_and_scales_with_speed():
    assert mean_in(4, 6, 2.0) == pytest.approx(mean_in(4, 6, 1.0) + mean_in(3, 5, 1.0), rel=1e-3)
    np.testing.assert_allclose(answer_to_image([0.5, 0.6], 0.2, speed=10), answer_to_image([5, 6], 2.0))
