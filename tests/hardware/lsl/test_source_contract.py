"""What every response source must do, over LSL and simulated alike."""

from __future__ import annotations

import time
import uuid
from collections.abc import Callable, Iterator
from typing import Any, Protocol

import numpy as np
import pytest

from closedloop.ports import (
    Chunk,
    ClockProbe,
    ResponseSource,
    SourceDied,
    SourceEvent,
    StreamInfo,
    StreamOverflow,
    StreamState,
    StreamStateChange,
)
from closedloop.protocol.models import Response
from hardware.clock import VirtualClock
from hardware.lsl.proxy import LslLink
from hardware.lsl.simulated import SimulatedSource

CHANNELS = 4
RATE_HZ = 1000.0


class Rig(Protocol):
    source: ResponseSource

    def now(self) -> float: ...
    def sleep(self, seconds: float) -> None: ...
    def gap(self, seconds: float) -> None: ...
    def hang(self) -> None: ...
    def wake(self) -> None: ...
    def kill(self) -> None: ...
    def restart(self) -> None: ...
    def send_nan(self) -> None: ...
    def die(self) -> None: ...


class LslRig:
    def __init__(self, sender: Callable[..., Any]) -> None:
        self.source_id = f"contract-{uuid.uuid4().hex[:8]}"
        self._sender = sender
        self.restart()
        self.source = LslLink(
            Response.model_validate({"stream": {"source_id": self.source_id}, "kind": "rates"}), "contract"
        )

    def restart(self) -> None:
        self.running = self._sender(source_id=self.source_id, rate_hz=RATE_HZ, channels=CHANNELS)

    def now(self) -> float:
        return time.monotonic()  # what LSL's local_clock is on Linux

    def sleep(self, seconds: float) -> None:
        time.sleep(seconds)

    def gap(self, seconds: float) -> None:
        self.running.order(f"gap {seconds}")

    def hang(self) -> None:
        self.running.hang()

    def wake(self) -> None:
        self.running.wake()

    def kill(self) -> None:
        self.running.kill()

    def send_nan(self) -> None:
        self.running.order("nan 30")

    def die(self) -> None:
        import os
        import signal

        os.kill(self.source.pid or 0, signal.SIGKILL)


class SimulatedRig:
    def __init__(self) -> None:
        self._clock = VirtualClock()
        info = StreamInfo(
            "response",
            "rates",
            "sim",
            "rates",
            "sim",
            RATE_HZ,
            CHANNELS,
            "float32",
            tuple(f"unit {unit}" for unit in range(CHANNELS)),
        )
        self.source = SimulatedSource(self._clock, info, lambda trial, image: np.full(CHANNELS, 30.0))
        self.now, self.sleep = self._clock.now, self._clock.sleep
        self.gap, self.hang, self.wake = self.source.gap, self.source.hang, self.source.wake
        self.kill, self.restart, self.die = self.source.disconnect, self.source.restart, self.source.die

    def send_nan(self) -> None:
        self.source.send_nan(0.03)


BOTH = [pytest.param("lsl", marks=pytest.mark.lsl), "simulated"]


@pytest.fixture(params=BOTH)
def rig(request: pytest.FixtureRequest, sender: Callable[..., Any]) -> Iterator[Rig]:
    made: Any = LslRig(sender) if request.param == "lsl" else SimulatedRig()
    yield made
    made.source.close()


class Heard:
    """Polls a rig and keeps what came."""

    def __init__(self, rig: Rig) -> None:
        self.rig = rig
        self.events: list[SourceEvent] = []

    def listen(self, seconds: float) -> list[SourceEvent]:
        new: list[SourceEvent] = []
        until_s = self.rig.now() + seconds
        while self.rig.now() < until_s:
            new.extend(self.rig.source.poll())
            self.rig.sleep(0.01)
        self.events.extend(new)
        return new

    def listen_until(self, state: StreamState, timeout_s: float = 10.0) -> float:
        begun_s = self.rig.now()
        while self.rig.now() - begun_s < timeout_s:
            if state in [change.state for change in self.of(StreamStateChange, self.listen(0.01))]:
                return self.rig.now() - begun_s
        raise AssertionError(f"never {state}")

    @staticmethod
    def of(kind: type, events: list[SourceEvent]) -> list[Any]:
        return [event for event in events if isinstance(event, kind)]

    @property
    def chunks(self) -> list[Chunk]:
        return self.of(Chunk, self.events)

    @property
    def counter(self) -> np.ndarray:
        return np.concatenate([chunk.values[:, 0] for chunk in self.chunks])


@pytest.fixture
def heard(rig: Rig) -> Heard:
    """A source that a test may harm."""
    return opened(rig)


@pytest.fixture(scope="module", params=BOTH)
def calm(request: pytest.FixtureRequest, lasting_sender: Callable[..., Any]) -> Iterator[Heard]:
    """A source that tests only listen to, so that one serves them all."""
    made: Any = LslRig(lasting_sender) if request.param == "lsl" else SimulatedRig()
    listening = opened(made)
    listening.listen(0.6)
    yield listening
    made.source.close()


def opened(rig: Rig) -> Heard:
    (info,) = rig.source.open()
    assert (info.role, info.kind, info.channels) == ("response", "rates", CHANNELS)
    assert (info.nominal_hz, info.dtype) == (RATE_HZ, "float32")
    assert info.channel_names == ("unit 0", "unit 1", "unit 2", "unit 3")
    listening = Heard(rig)
    listening.listen_until(StreamState.LIVE)
    return listening


def test_chunks_come_in_order_and_without_holes(calm: Heard) -> None:
    chunks = calm.chunks
    assert [chunk.sequence for chunk in chunks] == list(range(len(chunks)))
    assert {chunk.segment for chunk in chunks} == {0}
    stamps_s = np.concatenate([chunk.stamps_raw_s for chunk in chunks])
    np.testing.assert_allclose(np.diff(stamps_s), 1 / RATE_HZ, atol=1e-6)
    for chunk in chunks:
        assert chunk.values.shape == (len(chunk.stamps_raw_s), CHANNELS)
        assert chunk.values.dtype == np.float32
        assert abs(chunk.correction_s) < 1e-3
        assert 0 < chunk.uncertainty_s < 1e-2
        assert chunk.received_s >= chunk.times_s[-1] - 1e-3
    assert calm.of(ClockProbe, calm.events)
    assert not calm.of(StreamOverflow, calm.events)


def test_it_is_recovering_before_it_is_live(calm: Heard) -> None:
    states = [change.state for change in calm.of(StreamStateChange, calm.events)]
    # on a busy machine the sender itself may be late in between
    assert states[0] is StreamState.RECOVERING
    assert states[states.index(StreamState.LIVE) - 1] is StreamState.RECOVERING


def test_a_gap_starts_a_new_segment_and_shifts_no_stamp(heard: Heard) -> None:
    heard.listen(0.2)
    heard.rig.gap(1.0)
    heard.listen_until(StreamState.LATE)
    heard.listen_until(StreamState.LOST)
    heard.listen_until(StreamState.LIVE)
    chunks = heard.chunks
    assert {chunk.segment for chunk in chunks} == {0, 1}
    steps_s = np.diff(np.concatenate([chunk.stamps_raw_s for chunk in chunks]))
    assert np.sum(steps_s > 0.5) == 1
    assert steps_s.max() == pytest.approx(1.0, abs=0.01)
    # one machine, one clock: the stamps are right already, and must be so again from the first sample on
    after = [chunk for chunk in chunks if chunk.segment == 1]
    assert max(abs(chunk.correction_s) for chunk in after) < 1e-3


def test_a_hung_sender_is_noticed_and_its_backlog_is_whole(heard: Heard) -> None:
    heard.rig.hang()
    assert heard.listen_until(StreamState.LATE) < 0.4
    assert heard.listen_until(StreamState.LOST) < 0.5
    heard.rig.wake()
    heard.listen_until(StreamState.LIVE)
    stamps_s = np.concatenate([chunk.stamps_raw_s for chunk in heard.chunks])
    np.testing.assert_allclose(np.diff(stamps_s), 1 / RATE_HZ, atol=1e-6)
    assert [chunk.sequence for chunk in heard.chunks] == list(range(len(heard.chunks)))


def test_a_killed_sender_is_noticed_and_taken_up_again(heard: Heard) -> None:
    heard.rig.kill()
    assert heard.listen_until(StreamState.LOST) < 0.4
    assert not heard.of(Chunk, heard.listen(0.3))
    heard.rig.restart()
    heard.listen_until(StreamState.LIVE)
    assert {chunk.segment for chunk in heard.chunks} == {0, 1}
    assert [chunk.sequence for chunk in heard.chunks] == list(range(len(heard.chunks)))
    assert {probe.segment for probe in heard.of(ClockProbe, heard.events)} == {0, 1}


def test_nan_is_passed_on_untouched_and_a_closed_source_is_silent(heard: Heard) -> None:
    heard.rig.send_nan()
    heard.listen(0.4)
    values = np.concatenate([chunk.values[:, 1] for chunk in heard.chunks])
    assert 20 <= np.isnan(values).sum() <= 50
    heard.rig.source.close()
    assert list(heard.rig.source.poll()) == []


def test_poll_never_waits(calm: Heard) -> None:
    begun_s = time.perf_counter()
    for _ in range(1000):
        calm.rig.source.poll()
    assert time.perf_counter() - begun_s < 0.5


def test_its_death_is_told_once_and_it_can_be_closed_twice(heard: Heard) -> None:
    heard.rig.die()
    events = heard.listen(0.5)
    assert len(heard.of(SourceDied, events)) == 1
    assert heard.of(SourceDied, events)[0].reason
    assert not heard.listen(0.1)
    heard.rig.source.close()
    heard.rig.source.close()
    assert list(heard.rig.source.poll()) == []
