"""Plays a recording over LSL: every sample once, in order, at its recorded distance from the others.

Stamps are explicit: the moment of the clock at which the sample is due, computed from its recorded time,
so that what delays a push does not touch its stamp. Nothing is sent before it is due.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
import pylsl

from closedloop.errors import RecordingError
from closedloop.replay.recordings.recording import Damage, Recording
from hardware.lsl.player_ahead import Ahead, Load
from hardware.lsl.player_outlets import PlayedStream, describe
from hardware.lsl.player_tape import Tape, Transport
from hardware.stage.priority import raise_priority

_TICK_S = 0.001  # samples that are due within one tick leave together
_LONGEST_SLEEP_S = 0.02  # so that an order is heard at once
_UNREAD_S = 0.005  # until a stream is asked again whose next block is not read yet
_AHEAD_S = 3.0  # of the clock
_LEAD_S = 0.02  # between the decision to start and the first sample, so that it is not late
_SHORTEST_GAP_S = 0.01  # between two passes, where no stream is regular
_SETTLE_S = 1.0  # from the first listener to the first sample: a recorder opens its streams one by one
_LINGER_S = 0.5  # liblsl gives no sign when a sample is out; on a local network this is ample
_READY_S = 30.0


@dataclass(frozen=True)
class PlayOptions:
    """How to play.

    Attributes:
        speed: 1 is as recorded, 10 ten times as fast.
        loop: begin again at the end, until told to stop.
        from_s: where in the recording to begin.
        source_id_suffix: appended to each source id.
        wait_for_listener: send nothing before somebody hears one of the streams.
    """

    speed: float = 1.0
    loop: bool = False
    from_s: float = 0.0
    source_id_suffix: str = ""
    wait_for_listener: bool = False


@dataclass(frozen=True)
class PlayStatus:
    """How playing goes.

    Attributes:
        state: ``"opening"``, ``"waiting"`` (for a listener), ``"playing"``, ``"paused"`` or ``"ended"``.
        position_s: time in the recording.
        duration_s: of the recording.
        passes: how often it has been played to its end.
        sent: samples of each stream so far.
        heard: whether anybody hears each stream.
        latest_ms: how late the latest sample left since the last status.
    """

    state: str
    position_s: float
    duration_s: float
    passes: int
    sent: tuple[int, ...]
    heard: tuple[bool, ...]
    latest_ms: float


class _Head:
    """The block that a stream is being played from, and how far."""

    def __init__(self) -> None:
        self.load: Load | None = None
        self.next = 0

    @property
    def due_s(self) -> float:
        return np.inf if self.load is None else float(self.load.due_s[self.next])


class Player:
    """Plays one recording. ``play`` blocks; everything else may be called from other threads meanwhile.

    Args:
        recording: what to play.
        options: how.

    Raises:
        RecordingError: it ends before the place to begin at.
    """

    def __init__(self, recording: Recording, options: PlayOptions | None = None) -> None:
        self._options = options or PlayOptions()
        if not 0 <= self._options.from_s <= recording.duration_s:
            raise RecordingError(
                str(recording.path),
                found=f"{recording.duration_s:.1f} s of recording",
                expected=f"a place to begin within them, not {self._options.from_s:g} s",
                remedy="Choose an earlier place.",
            )
        self._recording = recording
        periods = [1 / stream.nominal_hz for stream in recording.streams if stream.nominal_hz > 0]
        gap_s = max(periods, default=_SHORTEST_GAP_S)
        self._tape = Tape(recording.duration_s, gap_s, self._options.loop)
        self._transport = Transport(self._options.speed, self._options.from_s)
        self._outlets: Sequence[PlayedStream] = []
        self._heads: list[_Head] = []
        self._ahead: Ahead | None = None
        self._orders: list[Callable[[], None]] = []
        self._lock = threading.Lock()
        self._wake = threading.Event()
        self._stopped = self._paused = False
        self._state = "opening"
        self._latest_s = 0.0
        self.damages: list[Damage] = []
        self.priority = ""

    def open(self) -> None:
        """Announce the streams; from now on they can be found and connected to."""
        options, path = self._options, self._recording.path
        self._outlets = [
            PlayedStream(
                describe(stream, path, options.speed, options.source_id_suffix), stream.dtype == "string"
            )
            for stream in self._recording.streams
        ]

    def pause(self) -> None:
        """Pause, or go on after a pause."""
        self._order(self._toggle)

    def seek(self, by_s: float) -> None:
        """Jump forward, or back if negative, by seconds of the recording; not beyond its ends."""
        self._order(lambda: self._jump(by_s))

    def stop(self) -> None:
        """End playing."""
        self._stopped = True
        self._wake.set()

    def status(self) -> PlayStatus:
        """Return how it goes; resets ``latest_ms``."""
        late_s, self._latest_s = self._latest_s, 0.0
        number, at_s = self._tape.place(self._transport.tape_at(pylsl.local_clock()))
        return PlayStatus(
            state=self._state,
            position_s=at_s,
            duration_s=self._tape.duration_s,
            passes=number,
            sent=tuple(outlet.sent for outlet in self._outlets),
            heard=tuple(outlet.has_listeners() for outlet in self._outlets),
            latest_ms=late_s * 1e3,
        )

    def play(self) -> None:
        """Play until the end, or until told to stop (blocks).

        Raises:
            ClosedLoopError: the recording can't be read any further; what came before has been played.
        """
        self.priority = raise_priority()
        if not self._outlets:
            self.open()
        try:
            if self._wait_for_listener():
                self._load(self._transport.tape_at(0.0))
                self._begin()
                self._run()
                self._linger()
        finally:
            self._state = "ended"
            if self._ahead is not None:
                self._ahead.close()
            for outlet in self._outlets:
                outlet.close()

    # --- inside the playing thread

    def _run(self) -> None:
        while not self._stopped:
            for order in self._taken():
                order()
            now_s = pylsl.local_clock()
            if self._transport.moves(now_s):
                self._send_due(now_s)
                if self._all_ended():
                    return
            due_s = now_s + _LONGEST_SLEEP_S if self._paused else self._next_due_s()
            left_s = max(_TICK_S, min(due_s - pylsl.local_clock(), _LONGEST_SLEEP_S))
            if left_s > 2 * _TICK_S:
                self._wake.wait(left_s)
                self._wake.clear()
            else:
                # an Event's timed wait costs several times what a plain sleep does
                time.sleep(left_s)

    def _send_due(self, now_s: float) -> None:
        assert self._ahead is not None  # noqa: S101 - for readers: set before the loop begins
        tape_s = self._transport.tape_at(now_s)
        offset_s, speed = self._transport.offset_s, self._transport.speed
        for stream, (head, outlet) in enumerate(zip(self._heads, self._outlets, strict=True)):
            while True:
                if head.load is None:
                    head.load, head.next = self._ahead.take(stream), 0
                    if head.load is None:
                        break
                load, first = head.load, head.next
                if load.due_s[first] > tape_s:
                    break
                stop = int(np.searchsorted(load.due_s, tape_s, side="right"))
                stamps_s = offset_s + load.times_s[first:stop] / speed
                outlet.send(load.values[first:stop], stamps_s)
                self._latest_s = max(self._latest_s, (tape_s - float(load.due_s[first])) / speed)
                if stop < len(load.due_s):
                    head.next = stop
                    break
                head.load = None
        self._ahead.reached(tape_s)
        while self._ahead.damages:
            self.damages.append(self._ahead.damages.popleft())

    def _next_due_s(self) -> float:
        assert self._ahead is not None  # noqa: S101 - as above
        due_s = min(head.due_s for head in self._heads)
        next_s = self._transport.offset_s + due_s / self._transport.speed
        for stream, head in enumerate(self._heads):
            if head.load is None and not self._ahead.ended(stream):
                return min(next_s, float(pylsl.local_clock()) + _UNREAD_S)
        return next_s

    def _all_ended(self) -> bool:
        assert self._ahead is not None  # noqa: S101 - as above
        return all(head.load is None and self._ahead.ended(stream) for stream, head in enumerate(self._heads))

    def _load(self, tape_s: float) -> None:
        """Begin to read at a place on the tape, and wait for the first blocks."""
        if self._ahead is not None:
            self._ahead.close()
        ahead_s = _AHEAD_S * self._options.speed
        self._ahead = Ahead(self._recording, self._tape, tape_s, ahead_s)
        self._heads = [_Head() for _ in self._recording.streams]
        self._ahead.wait_ready(_READY_S)

    def _begin(self) -> None:
        if not self._paused:
            self._transport.start(pylsl.local_clock() + _LEAD_S)
        self._state = "paused" if self._paused else "playing"

    def _toggle(self) -> None:
        self._paused = not self._paused
        if self._paused:
            self._transport.stop(pylsl.local_clock())
        self._begin()

    def _jump(self, by_s: float) -> None:
        now_s = pylsl.local_clock()
        place_s = self._tape.moved(self._transport.tape_at(now_s), by_s)
        self._transport.stop(now_s)
        self._transport.jump(place_s)
        self._load(place_s)
        self._begin()

    def _wait_for_listener(self) -> bool:
        """Wait if asked to; False if told to stop meanwhile."""
        if self._options.wait_for_listener:
            self._state = "waiting"
            while not self._stopped and not any(outlet.has_listeners() for outlet in self._outlets):
                self._wake.wait(_LONGEST_SLEEP_S)
            self._wake.wait(0.0 if self._stopped else _SETTLE_S)
        return not self._stopped

    def _linger(self) -> None:
        if any(outlet.has_listeners() for outlet in self._outlets):
            self._wake.wait(0.0 if self._stopped else _LINGER_S)

    def _order(self, order: Callable[[], None]) -> None:
        with self._lock:
            self._orders.append(order)
        self._wake.set()

    def _taken(self) -> list[Callable[[], None]]:
        if not self._orders:
            return []
        with self._lock:
            taken, self._orders = self._orders, []
        return taken
