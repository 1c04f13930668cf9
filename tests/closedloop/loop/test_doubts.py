from __future__ import annotations

from closedloop.loop.doubts import Doubts
from closedloop.ports import StreamState, StreamStateChange


def change(state: StreamState, time_s: float, reason: str = "") -> StreamStateChange:
    return StreamStateChange("response", state, time_s, 0.0, reason)


def test_a_stream_never_heard_is_in_doubt() -> None:
    doubts = Doubts()
    assert not doubts.live
    assert doubts.during(0.0, 1.0) is not None


def test_only_trials_that_touch_the_doubt_are_doubted() -> None:
    doubts = Doubts()
    doubts.take(change(StreamState.LIVE, 0.0))
    doubts.take(change(StreamState.LATE, 10.0, "nothing for 150 ms"))
    assert doubts.during(9.0, 9.9) is None
    assert doubts.during(9.0, 10.0) == "nothing for 150 ms"
    doubts.take(change(StreamState.LOST, 10.4, "nothing for 400 ms"))
    doubts.take(change(StreamState.RECOVERING, 12.0, "back"))
    doubts.take(change(StreamState.LIVE, 12.3))
    assert doubts.live
    assert doubts.during(10.1, 10.2) == "nothing for 150 ms"
    assert doubts.during(11.0, 11.1) == "nothing for 400 ms"
    assert doubts.during(12.31, 13.0) is None


def test_lost_samples_leave_a_doubt_though_the_stream_is_live() -> None:
    doubts = Doubts()
    doubts.take(change(StreamState.LIVE, 0.0))
    doubts.lost_samples(5.0, "3 chunks are missing")
    assert doubts.during(5.5, 5.7) == "3 chunks are missing"
    assert doubts.during(7.0, 8.0) is None


def test_old_doubts_are_forgotten() -> None:
    doubts = Doubts()
    doubts.take(change(StreamState.LIVE, 0.0))
    doubts.lost_samples(5.0, "gone")
    doubts.forget(before_s=7.0)
    assert doubts.during(5.0, 5.1) is None
