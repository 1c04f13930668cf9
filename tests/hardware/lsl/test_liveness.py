from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from closedloop.ports import StreamState, StreamStateChange
from closedloop.protocol.models import Liveness, Response
from hardware.lsl.liveness import LivenessMonitor, Thresholds, thresholds

LIMITS = Thresholds(late_s=0.15, lost_s=0.4, recover_s=0.3)
STEP_S = 0.01


def run(monitor: LivenessMonitor, start_s: float, stop_s: float, flows: bool) -> list[StreamStateChange]:
    changes = []
    for k in range(round(start_s / STEP_S), round(stop_s / STEP_S)):
        now_s = k * STEP_S
        if flows:
            monitor.heard(now_s, now_s)
        change = monitor.tick(now_s)
        changes += [change] if change is not None else []
    return changes


def states(changes: list[StreamStateChange]) -> list[StreamState]:
    return [change.state for change in changes]


def live() -> LivenessMonitor:
    monitor = LivenessMonitor("response", LIMITS, 0.0)
    assert states(run(monitor, 0, 1, flows=True)) == [StreamState.LIVE]
    return monitor


def test_silence_makes_it_late_then_lost_and_flow_brings_it_back() -> None:
    monitor = live()
    late, lost = run(monitor, 1, 2, flows=False)
    assert (late.state, lost.state) == (StreamState.LATE, StreamState.LOST)
    assert late.time_s - 0.99 == pytest.approx(0.15, abs=2 * STEP_S)
    assert lost.time_s - 0.99 == pytest.approx(0.4, abs=2 * STEP_S)
    recovering, back = run(monitor, 2, 3, flows=True)
    assert (recovering.state, back.state) == (StreamState.RECOVERING, StreamState.LIVE)
    assert back.time_s - recovering.time_s == pytest.approx(0.3, abs=2 * STEP_S)


def test_a_backlog_does_not_make_it_live() -> None:
    monitor = live()
    run(monitor, 1, 2, flows=False)
    for k in range(100):
        now_s = 2 + k * STEP_S
        monitor.heard(stamp_s=now_s - 0.3, received_s=now_s)  # younger than lost, older than late
        assert monitor.tick(now_s) is None
    assert monitor.state is StreamState.LOST


def test_stamps_of_the_future_do_not_hide_silence() -> None:
    monitor = live()
    late = monitor.heard(stamp_s=1e6, received_s=1.0)
    assert late is not None
    assert (late.state, late.time_s) == (StreamState.LATE, 1.0)
    assert states(run(monitor, 1, 2, flows=False)) == [StreamState.LOST]


@pytest.mark.parametrize(("ahead_s", "believed"), [(0.009, True), (0.012, False), (0.5, False)])
def test_stamps_of_the_future_put_a_flowing_stream_in_doubt(ahead_s: float, believed: bool) -> None:
    monitor = live()
    late = monitor.heard(1.0 + ahead_s, 1.0)
    assert (late is None) is believed
    if late is None:
        assert not run(monitor, 1, 2, flows=True)
        return
    assert f"{ahead_s * 1000:.0f} ms in the future" in late.reason
    assert monitor.heard(1.0 + ahead_s, 1.0, uncertainty_s=ahead_s) is None  # may be so
    back, alive = run(monitor, 1.01, 3, flows=True)
    assert (back.state, alive.state) == (StreamState.RECOVERING, StreamState.LIVE)
    # what was handed out with these stamps must answer no trial to come
    assert back.time_s >= 1.0 + ahead_s
    assert alive.time_s - back.time_s == pytest.approx(0.3, abs=2 * STEP_S)


def test_stamps_that_stay_in_the_future_are_never_live() -> None:
    monitor = live()
    for k in range(100, 300):
        monitor.heard(k * STEP_S + 5.0, k * STEP_S)
        monitor.tick(k * STEP_S)
        assert monitor.state is StreamState.LATE


def test_a_slow_stream_is_not_live_between_stamps_of_the_future() -> None:
    monitor = LivenessMonitor("response", Thresholds(2.5, 2.75, 0.3), 0.0)
    for second in range(10):
        monitor.heard(second + 0.05, float(second))
        assert StreamState.LIVE not in states(run(monitor, second, second + 1, flows=False))


def test_a_clock_in_doubt_is_late_until_it_is_trusted() -> None:
    monitor = live()
    late = monitor.distrust(1.0, "its clock")
    assert late is not None
    assert (late.state, late.time_s, late.reason) == (StreamState.LATE, 1.0, "its clock")
    assert monitor.distrust(1.1, "its clock") is None
    assert not run(monitor, 1, 2, flows=True)
    monitor.trust()
    assert states(run(monitor, 2, 3, flows=True)) == [StreamState.RECOVERING, StreamState.LIVE]


def test_a_broken_connection_is_lost_at_once_and_needs_samples_to_recover() -> None:
    monitor = live()
    change = monitor.disconnected(1.0, "gone")
    assert change is not None
    assert (change.state, change.reason) == (StreamState.LOST, "gone")
    assert monitor.disconnected(1.1, "gone") is None
    assert not run(monitor, 1.1, 2, flows=False)
    monitor.connected(2.0)
    assert not run(monitor, 2, 2.1, flows=False)
    assert states(run(monitor, 2.1, 3, flows=True)) == [StreamState.RECOVERING, StreamState.LIVE]


def test_silence_says_nothing_where_samples_do_not_age() -> None:
    monitor = LivenessMonitor("response", Thresholds(0.15, 0.4, 0.3, ages=False), 0.0)
    assert states(run(monitor, 0, 5, flows=False)) == [StreamState.LIVE]
    assert monitor.disconnected(5.0, "gone") is not None


@given(st.lists(st.tuples(st.floats(0.001, 1.0), st.booleans(), st.floats(0, 1)), max_size=60))
def test_it_is_never_live_on_old_samples(steps: list[tuple[float, bool, float]]) -> None:
    monitor = LivenessMonitor("response", LIMITS, 0.0)
    now_s = 0.0
    fresh_since_s: float | None = None
    for wait_s, comes, delay_s in steps:
        now_s += wait_s
        if comes:
            monitor.heard(now_s - delay_s, now_s)
        monitor.tick(now_s)
        fresh = monitor.age_s(now_s) <= LIMITS.late_s
        fresh_since_s = (now_s if fresh_since_s is None else fresh_since_s) if fresh else None
        if monitor.state is StreamState.LIVE:
            assert fresh
            assert now_s - (fresh_since_s or now_s) >= LIMITS.recover_s - 1e-9
        if monitor.age_s(now_s) > LIMITS.lost_s:
            assert monitor.state is StreamState.LOST


def test_thresholds_follow_the_kind() -> None:
    liveness = Liveness(late_after_ms=100, lost_after_ms=300, recover_ms=50, max_silence_ms=600)
    assert thresholds("rates", 1000, liveness) == Thresholds(0.1, 0.3, 0.05)
    slow = thresholds("rates", 5, liveness)
    assert (slow.late_s, slow.lost_s) == pytest.approx((0.5, 0.7))
    assert thresholds("spikes", 0, liveness).late_s == pytest.approx(0.6)
    assert thresholds("spikes", 0, liveness).lost_s == pytest.approx(0.8)
    assert thresholds("spikes", 0, liveness, keep_alive=True) == Thresholds(0.1, 0.3, 0.05)
    assert not thresholds("trials", 0, liveness).ages
    assert thresholds("trials", 0, liveness, keep_alive=True) == Thresholds(0.1, 0.3, 0.05)
    assert thresholds("fixation", 0, liveness) == Thresholds(0.1, 0.3, 0.05)
    assert thresholds("fixation", 100, liveness) == Thresholds(0.1, 0.3, 0.05)


def in_scanner(delay_s: float) -> LivenessMonitor:
    spec = Response.model_validate(
        {"stream": {"name": "x"}, "kind": "rates", "volumes": {"tr_s": 2.0, "delay_s": delay_s}}
    )
    return LivenessMonitor("response", thresholds("rates", 0.5, spec.liveness_in_use), 0.0)


def hear_volumes(
    monitor: LivenessMonitor, takes_s: float, ends_s: list[float], until_s: float
) -> list[StreamState]:
    """Hear a sample for each volume, stamped with its end, so much later; return the changes of state."""
    seen, due = [], [(end_s + takes_s, end_s) for end_s in ends_s]
    for k in range(round(until_s / 0.05)):
        now_s = k * 0.05
        while due and due[0][0] <= now_s:
            monitor.heard(due.pop(0)[1], now_s)
        change = monitor.tick(now_s)
        seen += [change] if change is not None else []
    return states(seen)


@pytest.mark.parametrize("takes_s", [0.2, 3.9])
def test_a_volume_every_two_seconds_is_live_however_late_the_pipeline(takes_s: float) -> None:
    ends_s = [2.0 * k for k in range(1, 40)]
    seen = hear_volumes(in_scanner(4.0), takes_s, ends_s, 78.0)
    assert seen == [StreamState.LIVE]


def test_one_lost_volume_is_borne_and_a_scanner_that_stops_is_not() -> None:
    ends_s = [2.0 * k for k in range(1, 20) if k != 9]
    monitor = in_scanner(1.0)
    assert hear_volumes(monitor, 0.5, ends_s, 40.0) == [StreamState.LIVE]
    ends_s = [2.0 * k for k in range(1, 10)]
    assert hear_volumes(in_scanner(1.0), 0.5, ends_s, 40.0) == [
        StreamState.LIVE,
        StreamState.LATE,
        StreamState.LOST,
    ]
