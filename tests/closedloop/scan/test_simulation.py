from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from closedloop.scan.simulation import ScannerFaults, SimulatedPulse, pulse_times, volume_times


def plan(
    faults: ScannerFaults | None = None,
    *,
    volumes: int = 6,
    dummies: int = 0,
    jitter_s: float = 0.0,
    seed: int = 0,
    **options: float | int,
) -> list[SimulatedPulse]:
    rng = np.random.default_rng(seed)
    return pulse_times(2.0, volumes, dummies, jitter_s, faults or ScannerFaults(), rng, **options)  # type: ignore[arg-type]  # each test gives options of the right type


def test_a_sound_scanner_sends_a_pulse_a_volume() -> None:
    assert [pulse[:3] for pulse in plan(volumes=3, dummies=1)] == [
        (0, "dummy", 0),
        (2, "volume", 1),
        (4, "volume", 2),
        (6, "volume", 3),
    ]


def test_slices_lie_within_their_volume_and_its_acquisition() -> None:
    assert plan(volumes=2, slices=2) == [
        (0, "volume", 0, 0),
        (1, "slice", 0, 1),
        (2, "volume", 1, 0),
        (3, "slice", 1, 1),
    ]
    assert [pulse.time_s for pulse in plan(volumes=2, slices=2, acquisition_s=1.0)] == [0, 0.5, 2, 2.5]


def test_jitter_stays_within_its_bounds_and_does_not_add_up() -> None:
    pulses = plan(volumes=2000, jitter_s=0.005)
    off_s = np.array([pulse.time_s for pulse in pulses]) - 2 * np.arange(2000)
    assert np.abs(off_s).max() <= 0.005
    assert off_s.std() == pytest.approx(0.005 / np.sqrt(3), rel=0.05)


def test_each_fault_is_what_it_says() -> None:
    faults = ScannerFaults(drop_first=1, drop={3}, double={2}, extra_s=(5.1,), human_s=(-1.0,), stop_after=5)
    assert [pulse[:3] for pulse in plan(faults)] == [
        (-1.0, "human", None),
        (2.0, "volume", 1),
        (4.0, "volume", 2),
        (4.02, "doubled", 2),
        (5.1, "extra", None),
        (8.0, "volume", 4),
    ]


def test_a_wrong_tr_and_a_drift_add_up_over_the_volumes() -> None:
    wrong = plan(ScannerFaults(tr_error=0.0085), volumes=11)
    assert wrong[-1].time_s == pytest.approx(20.17)
    intervals_s = np.diff(volume_times(2.0, 12, ScannerFaults(drift=0.01)))
    assert intervals_s[[0, -1]] == pytest.approx([2.0, 2.02])
    assert np.diff(intervals_s) == pytest.approx(0.002)


@given(st.integers(0, 99), st.integers(0, 19))
def test_a_fault_leaves_the_rest_of_the_run_as_it_was(seed: int, dropped: int) -> None:
    whole = plan(volumes=20, jitter_s=0.005, seed=seed)
    holed = plan(ScannerFaults(drop={dropped}), volumes=20, jitter_s=0.005, seed=seed)
    assert holed == whole[:dropped] + whole[dropped + 1 :]


def test_shares_hit_about_as_many_pulses_as_they_say() -> None:
    pulses = plan(ScannerFaults(drop_share=0.1, double_share=0.2), volumes=5000)
    kinds = [pulse.kind for pulse in pulses]
    assert kinds.count("volume") == pytest.approx(4500, rel=0.03)
    assert kinds.count("doubled") == pytest.approx(900, rel=0.1)


@pytest.mark.parametrize(
    "fault",
    [{"drop_share": 1.5}, {"double_after_s": 0.0}, {"tr_error": -1.0}, {"stop_after": -1}, {"drift": 1.0}],
)
def test_impossible_faults_are_refused(fault: dict[str, float]) -> None:
    with pytest.raises(ValueError, match=r"must|counts"):
        ScannerFaults(**fault)  # type: ignore[arg-type]  # as above
