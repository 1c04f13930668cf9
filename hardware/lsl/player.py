"""Plays a recording over LSL: every sample once, in order, at its recorded distance from the others.

Stamps are explicit: the moment of the clock at which the sample is due, computed from its recorded time,
so that what delays a push does not touch its stamp. Nothing is sent before it is due.
"""

from __future__ import annotations

import queue
import threading
import time
from collections.abc import Callable, Sequence

import pylsl

from closedloop.errors import RecordingError
from closedloop.replay.recordings.recording import Damage, Recording
from hardware.lsl.player_ahead import Ahead
from hardware.lsl.player_outlets import PlayedStream, describe
from hardware.lsl.player_records import PlayOptions, PlayStatus
from hardware.lsl.player_sender import Sender
from hardware.lsl.player_tape import Tape, Transport
from hardware.stage.priority import raise_priority

_TICK_S = 0.001  # samples that are due within one tick leave together
_LONGEST_SLEEP_S = 0.02  # so that an order is heard at once
_AHEAD_S = 3.0  # of the clock
_LEAD_S = 0.02  # between the decision to start and the first sample, so that it is not late
_SHORTEST_GAP_S = 0.01  # between two passes, where no stream is regular
_SETTLE_S = 1.0  # from the newest stream that is heard to the first sample: they are opened one by one
_LINGER_S = 0.5  # liblsl gives no sign when a sample is out; on a local network this is ample
_READY_S = 30.0


class Player:
    """Plays one recording. ``play`` blocks; everything else may be called from other threads meanwhile.

    Attributes:
        damages: parts of the recording that could not be read and were left out.

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
        # a loop goes on after one period of the slowest regular stream, as that stream itself would
        periods = [1 / stream.nominal_hz for stream in recording.streams if stream.nominal_hz > 0]
        gap_s = max(periods, default=_SHORTEST_GAP_S)
        self._tape = Tape(recording.duration_s, gap_s, self._options.loop)
        self._transport = Transport(self._options.speed, self._options.from_s)
        self._outlets: Sequence[PlayedStream] = []
        self._sender: Sender | None = None
        self._orders: queue.SimpleQueue[Callable[[], None]] = queue.SimpleQueue()
        self._wake = threading.Event()
        self._stopped = self._paused = False
        self._state = "opening"
        self._latest_s = 0.0
        self.damages: list[Damage] = []

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
        """Announce the streams and play until the end, or until told to stop (blocks).

        Raises:
            ClosedLoopError: the recording can't be read any further; what came before has been played.
        """
        # before the outlets are made: liblsl's threads, which send, inherit it
        raise_priority()
        options = self._options
        self._outlets = [
            PlayedStream(describe(stream, self._recording.path, options.speed, options.source_id_suffix))
            for stream in self._recording.streams
        ]
        try:
            if self._wait_for_listener():
                self._run(self._load(options.from_s))
                self._linger()
        finally:
            self._state = "ended"
            if self._sender is not None:
                self._sender.close()
            for outlet in self._outlets:
                outlet.close()

    # --- in the playing thread

    def _run(self, sender: Sender) -> None:
        self._begin()
        while not self._stopped:
            while not self._orders.empty():
                self._orders.get()()
                sender = self._sender or sender
            now_s = float(pylsl.local_clock())
            if self._transport.moves(now_s):
                self._latest_s = max(self._latest_s, sender.send_due(now_s))
                if sender.ended():
                    return
            due_s = now_s + _LONGEST_SLEEP_S if self._paused else sender.next_due_s(now_s)
            left_s = max(_TICK_S, min(due_s - pylsl.local_clock(), _LONGEST_SLEEP_S))
            if left_s > 2 * _TICK_S:
                self._wake.wait(left_s)
                self._wake.clear()
            else:
                # an Event's timed wait costs several times what a plain sleep does
                time.sleep(left_s)

    def _load(self, tape_s: float) -> Sender:
        """Begin to read at a place on the tape, and wait for the first blocks."""
        if self._sender is not None:
            self._sender.close()
        ahead_s = _AHEAD_S * self._options.speed
        ahead = Ahead(self._recording, self._tape, tape_s, ahead_s, self.damages.append)
        self._sender = Sender(self._outlets, ahead, self._transport)
        ahead.wait_ready(_READY_S)
        return self._sender

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
            heard = 0
            while not self._stopped and (heard == 0 or heard < self._listeners()):
                heard = self._listeners()
                self._rest(_SETTLE_S if heard else _LONGEST_SLEEP_S)
        return not self._stopped

    def _listeners(self) -> int:
        """Return how many of the streams are heard."""
        return sum(outlet.has_listeners() for outlet in self._outlets)

    def _linger(self) -> None:
        if self._listeners():
            self._rest(_LINGER_S)

    def _rest(self, seconds: float) -> None:
        until_s = time.monotonic() + seconds
        while not self._stopped and time.monotonic() < until_s:
            self._wake.wait(_LONGEST_SLEEP_S)
            self._wake.clear()

    def _order(self, order: Callable[[], None]) -> None:
        self._orders.put(order)
        self._wake.set()
