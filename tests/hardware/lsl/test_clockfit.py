from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hardware.lsl.clockfit import ClockFit, Probe

offsets = st.floats(-1e6, 1e6)
drifts = st.floats(-5e-5, 5e-5)
seeds = st.integers(0, 2**32 - 1)


def feed(fit: ClockFit, offset_s: float, drift: float, seed: int, n: int, start_s: float = 0.0) -> float:
    """Probes every 2 s with a round trip of about 0.2 ms; returns the time of the last."""
    rng = np.random.default_rng(seed)
    for k in range(n):
        time_s = start_s + 2.0 * k
        round_trip_s = 2e-4 * (1 + rng.exponential())
        error_s = rng.uniform(-0.5, 0.5) * round_trip_s
        fit.add(Probe(time_s, offset_s + drift * time_s + error_s, round_trip_s))
    return start_s + 2.0 * (n - 1)


@settings(max_examples=60, deadline=None)
@given(offsets, drifts, seeds, st.integers(1, 120))
def test_the_correction_is_right_within_its_uncertainty(
    offset_s: float, drift: float, seed: int, n: int
) -> None:
    fit = ClockFit()
    end_s = feed(fit, offset_s, drift, seed, n)
    for time_s in (end_s, end_s + 2.0):
        correction = fit.at(time_s)
        error_s = abs(correction.offset_s - (offset_s + drift * time_s))
        assert error_s < 4 * correction.uncertainty_s + 1e-9 * abs(offset_s)
        assert error_s < 1e-3


@settings(max_examples=40, deadline=None)
@given(offsets, drifts, seeds, st.floats(0.01, 0.12))
def test_a_probe_that_got_stuck_does_not_move_the_line(
    offset_s: float, drift: float, seed: int, stuck_s: float
) -> None:
    calm, shaken = ClockFit(), ClockFit()
    end_s = feed(calm, offset_s, drift, seed, 30)
    feed(shaken, offset_s, drift, seed, 30)
    shaken.add(Probe(end_s + 2, offset_s + drift * end_s + stuck_s / 2, stuck_s))
    assert shaken.at(end_s + 3).offset_s == pytest.approx(calm.at(end_s + 3).offset_s, abs=1e-4)


@settings(max_examples=40, deadline=None)
@given(offsets, seeds, st.floats(0.01, 1e4), st.booleans())
def test_a_step_of_the_clock_is_found_at_the_third_probe(
    offset_s: float, seed: int, step_s: float, back: bool
) -> None:
    fit = ClockFit()
    end_s = feed(fit, offset_s, 0.0, seed, 20)
    new_s = offset_s - step_s if back else offset_s + step_s
    stepped = [fit.add(Probe(end_s + 2 * k, new_s, 2e-4)) for k in (1, 2, 3)]
    assert stepped == [False, False, True]
    assert len(fit) == 3
    assert fit.at(end_s + 7).offset_s == pytest.approx(new_s, abs=1e-3)


def test_single_outliers_between_good_probes_are_no_step() -> None:
    fit = ClockFit()
    feed(fit, 5.0, 0.0, 1, 10)
    for k in range(10):
        assert not fit.add(Probe(20 + 4 * k, 6.0, 1e-3))
        assert not fit.add(Probe(22 + 4 * k, 5.0, 1e-3))
    assert fit.at(60).offset_s == pytest.approx(5.0, abs=1e-3)


def test_the_first_probe_off_the_line_raises_doubt_until_it_is_resolved() -> None:
    outlier, step = ClockFit(), ClockFit()
    for fit in (outlier, step):
        end_s = feed(fit, 5.0, 0.0, 1, 10)
        assert not fit.in_doubt
        fit.add(Probe(end_s + 2, 5.05, 2e-4))
        assert fit.in_doubt
        fit.restart()  # a step of the stamps is a gap, too
        assert fit.in_doubt
    outlier.add(Probe(end_s + 4, 5.0, 2e-4))
    assert not outlier.in_doubt
    step.add(Probe(end_s + 4, 5.05, 2e-4))
    assert step.in_doubt
    assert step.add(Probe(end_s + 6, 5.05, 2e-4))
    assert not step.in_doubt


def test_drift_is_learnt() -> None:
    fit = ClockFit()
    end_s = feed(fit, 100.0, 5e-5, 3, 90)
    # half a minute ahead a constant would be off by 1.5 ms
    assert fit.at(end_s + 30).offset_s == pytest.approx(100.0 + 5e-5 * (end_s + 30), abs=3e-4)


@given(st.floats(0, 1e4))
def test_uncertainty_grows_with_the_distance_from_the_probes(later_s: float) -> None:
    fit = ClockFit()
    end_s = feed(fit, 0.0, 0.0, 1, 20)
    assert fit.at(end_s + later_s).uncertainty_s >= fit.at(end_s).uncertainty_s


def test_after_a_gap_the_newest_probe_is_kept_and_a_new_fit_has_none() -> None:
    fit = ClockFit()
    feed(fit, 3.0, 0.0, 1, 20)
    newest_s = fit.newest_offset_s
    fit.restart()
    assert len(fit) == 1
    assert fit.at(100.0).offset_s == pytest.approx(newest_s)
    fit = ClockFit()
    assert len(fit) == 0
    with pytest.raises(LookupError):
        fit.at(100.0)
    with pytest.raises(LookupError):
        _ = fit.newest_offset_s


def test_programs_of_one_machine_have_one_clock_until_a_probe_says_otherwise() -> None:
    fit, elsewhere = ClockFit(same_machine=True), ClockFit()
    for one in (fit, elsewhere):
        one.add(Probe(0.0, 3e-5, 9e-5))
        one.add(Probe(2.0, 4e-5, 8e-5))
    assert fit.at(3.0).offset_s == 0.0
    assert fit.at(3.0).uncertainty_s == 4e-5  # it is not known better than it is measured
    assert elsewhere.at(3.0).offset_s == pytest.approx(3.5e-5, abs=1e-5)
    fit.restart()
    assert fit.at(3.0).offset_s == 0.0
    # further off than half the round trip: the same name, but another machine
    fit.add(Probe(4.0, 5e-5, 9e-5))
    assert fit.at(5.0).offset_s == pytest.approx(4.5e-5, abs=1e-5)
    fit.add(Probe(6.0, 3e-5, 9e-5))
    assert fit.at(7.0).offset_s > 2e-5


def test_a_namesake_of_this_machine_has_a_clock_of_its_own() -> None:
    fit, plain = ClockFit(same_machine=True), ClockFit()
    for one in (fit, plain):
        feed(one, 7e4, 2e-5, 5, 10)
    assert fit.at(25.0) == plain.at(25.0)


def test_old_probes_are_forgotten() -> None:
    fit = ClockFit(max_probes=10)
    feed(fit, 0.0, 0.0, 1, 25)
    assert len(fit) == 10
