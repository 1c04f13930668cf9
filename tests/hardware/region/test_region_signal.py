"""The region's signal by itself: size, course, noise, drift, and the trials that it measures."""

from __future__ import annotations

import numpy as np
import pytest

from hardware.region import RegionOptions, SignalOptions
from hardware.region.signal import RegionSignal
from hardware.region.trials import TrialAnswers

QUIET = {"noise_percent": 0.0, "drift_percent": 0.0}


def volumes(signal: RegionSignal, count: int) -> np.ndarray:
    return np.array([signal.next_volume() for _ in range(count)])


@pytest.mark.parametrize(("tr_s", "speed"), [(0.5, 1.0), (0.05, 10.0)])
def test_a_usual_picture_of_a_second_peaks_at_the_amplitude_after_five_and_a_half_seconds(tr_s, speed):
    signal = RegionSignal(2, SignalOptions(tr_s=tr_s, speed=speed, amplitude_percent=2.0, **QUIET), 100.0)
    onset_s, on_s = 100.0 + 10 / speed, 1 / speed
    signal.picture_on(onset_s, [75.0, -37.5])
    signal.picture_off(onset_s, onset_s + on_s)
    course = (volumes(signal, 100) / 1000 - 1) * 100
    middles_s = (100.0 + tr_s * (np.arange(100) + 0.5) - onset_s) * speed
    assert course[:, 0].max() == pytest.approx(2.0, abs=0.02)
    assert middles_s[course[:, 0].argmax()] == pytest.approx(5.5, abs=0.3)
    assert (course[middles_s < 0] == 0).all()
    np.testing.assert_allclose(course[:, 1], -course[:, 0] / 2)
    assert abs(course[middles_s > 35]).max() < 0.01


def test_answers_add_up_and_a_picture_that_stays_goes_on():
    one, other, both = (RegionSignal(1, SignalOptions(**QUIET), 0.0) for _ in range(3))
    one.picture_on(4.0, [50.0], 5.0)
    other.picture_on(9.0, [20.0])
    for signal in (both,):
        signal.picture_on(4.0, [50.0], 5.0)
        signal.picture_on(9.0, [20.0])
    np.testing.assert_allclose(
        volumes(both, 40) - 1000, volumes(one, 40) - 1000 + volumes(other, 40) - 1000, atol=1e-9
    )


@pytest.mark.parametrize(
    ("tr_s", "speed", "correlation"), [(2.0, 1.0, 0.4), (1.0, 1.0, 0.4**0.5), (0.2, 10.0, 0.4)]
)
def test_noise_has_its_size_and_its_correlation(tr_s, speed, correlation):
    options = SignalOptions(
        tr_s=tr_s, speed=speed, noise_percent=0.5, noise_correlation=0.4, drift_percent=0.0
    )
    noise = (volumes(RegionSignal(1, options, 0.0), 8000)[:, 0] / 1000 - 1) * 100
    assert noise.std() == pytest.approx(0.5, rel=0.05)
    assert np.corrcoef(noise[1:], noise[:-1])[0, 1] == pytest.approx(correlation, abs=0.04)


def test_drift_is_a_random_walk_of_the_size_named():
    options = SignalOptions(noise_percent=0.0, drift_percent=1.0)
    signal = RegionSignal(400, options, 0.0)
    after_ten_minutes = (volumes(signal, 300)[-1] / 1000 - 1) * 100
    assert after_ten_minutes.std() == pytest.approx(1.0, rel=0.15)


def test_the_same_seed_gives_the_same_signal_and_another_another():
    first, again, other = (volumes(RegionSignal(1, SignalOptions(seed=seed), 0.0), 20) for seed in (1, 1, 2))
    assert (first == again).all()
    assert (first != other).any()


def answers(baseline: tuple[float, float] | None) -> TrialAnswers:
    return TrialAnswers(
        RegionOptions(kind="trials", regions=((1,), (2,)), signal=SignalOptions(tr_s=2.0), baseline=baseline)
    )


def test_a_trial_is_answered_with_the_volume_that_ends_its_window():
    measured = answers((-0.5, 0.5))
    measured.onset(101.0)
    measured.marker(101.01, 17)
    rows = []
    for end_s in np.arange(98.0, 112.0, 2.0):
        level = 110.0 if end_s in (106.0, 108.0) else 100.0
        rows.append(measured.volume(float(end_s), np.array([level, 2 * level])))
    # the window is 105 to 107 s: half of each of the volumes that end at 106 and 108
    assert [row[0, 0] for row in rows] == [-1, -1, -1, -1, -1, 17, -1]
    np.testing.assert_allclose(rows[5][0, 1:], [10.0, 10.0])


def test_a_trial_that_was_not_named_is_not_answered():
    measured = answers(None)
    measured.onset(101.0)
    measured.marker(103.0, 4)
    rows = [measured.volume(end_s, np.ones(2)) for end_s in (100.0, 102.0, 104.0, 106.0, 108.0)]
    assert all((row[:, 0] == -1).all() for row in rows)


@pytest.mark.parametrize(
    "options",
    [{"kind": "counts"}, {"stamped": "middle"}, {"delay_s": -1.0}, {"window": (2.0, 2.5)}],
)
def test_wrong_options_are_refused(options):
    with pytest.raises(ValueError, match=next(iter(options)).split("_")[0]):
        RegionOptions(**options)
