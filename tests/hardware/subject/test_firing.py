"""Spikes are Poisson, at the right rate and at the right time."""

from __future__ import annotations

import numpy as np
import pytest

from hardware.subject.firing import Firing, FiringOptions

STEADY = FiringOptions(baseline_hz=20.0, drift_per_hour=1.0, wander=0.0, noise=0.0)


def _firing(options: FiringOptions = STEADY, units: int = 3, seed: int = 1) -> Firing:
    return Firing(units, options, np.random.default_rng(seed), start_s=100.0)


def test_baseline_is_poisson() -> None:
    firing = _firing(units=4)
    times, units = firing.advance(300.0)
    assert np.all(np.diff(times) >= 0)
    assert times[0] >= 100
    assert times[-1] < 300
    counts = np.array(
        [np.histogram(times[units == unit], bins=1000, range=(100, 300))[0] for unit in range(4)]
    )
    assert counts.mean() == pytest.approx(4.0, abs=0.15)  # 20/s in 0.2 s; standard error 0.03
    assert counts.var() / counts.mean() == pytest.approx(1.0, abs=0.1)
    intervals = np.diff(times[units == 0])
    assert intervals.std() / intervals.mean() == pytest.approx(1.0, abs=0.07)


def test_a_picture_is_answered_a_latency_later_as_long_as_it_was_on() -> None:
    firing = _firing(units=2)
    onsets = 100.5 + 0.5 * np.arange(400)
    for onset in onsets:
        firing.picture_on(onset, np.array([200.0, 5.0]))
        firing.picture_off(onset + 0.1)
    times, units = firing.advance(onsets[-1] + 0.5)
    after = (times - onsets[0]) % 0.5

    def rate_hz(unit: int, begin: float, end: float) -> float:
        inside = (units == unit) & (times >= onsets[0]) & (after >= begin) & (after < end)
        return float(inside.sum() / len(onsets) / (end - begin))

    assert rate_hz(0, 0.0, 0.060) == pytest.approx(20, rel=0.15)
    assert rate_hz(0, 0.075, 0.160) == pytest.approx(200, rel=0.05)
    assert rate_hz(1, 0.120, 0.160) == pytest.approx(5, abs=3.0)
    assert rate_hz(0, 0.260, 0.500) == pytest.approx(20, rel=0.15)


def test_it_does_not_matter_how_often_it_is_asked() -> None:
    options = FiringOptions(baseline_hz=50.0, drift_per_hour=1.0, wander=0.0, noise=0.0)
    whole = len(_firing(options).advance(160.0)[0])
    firing = _firing(options, seed=2)
    parts = [firing.advance(until) for until in np.arange(100.0, 160.0, 0.0103)]
    times = np.concatenate([times for times, _ in parts])
    assert np.all(np.diff(times) >= 0)
    assert len(times) == pytest.approx(whole, rel=0.05)


def test_noise_wander_and_drift_change_the_rate_and_a_dead_unit_is_silent() -> None:
    drifting = FiringOptions(baseline_hz=50.0, drift_per_hour=0.5, wander=0.0, noise=0.0)
    firing = _firing(drifting, units=1)
    firing.advance(100 + 3600.0)
    later = len(firing.advance(100 + 3600.0 + 60)[0])
    assert later == pytest.approx(50 * 60 * 0.5, rel=0.1)

    firing = _firing(units=2)
    firing.silence(1, until_s=110.0)
    dead, again = firing.advance(110.0), firing.advance(120.0)
    assert set(dead[1]) == {0}
    assert set(again[1]) == {0, 1}

    wandering = FiringOptions(baseline_hz=100.0, drift_per_hour=1.0, wander=0.5, wander_s=5.0, noise=0.0)
    times, _ = _firing(wandering, units=1).advance(1100.0)
    counts = np.histogram(times, bins=1000, range=(100, 1100))[0]
    assert counts.var() / counts.mean() > 5
