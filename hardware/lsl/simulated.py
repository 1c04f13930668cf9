"""A response source without LSL, sockets or processes, for sessions faster than life and for exact tests.

Samples come into being when ``poll`` is called, up to the clock's time. What a trial's image evokes
depends on the seed, the trial's number and the image's bytes alone, never on when it was shown, so two
sessions that show the same get the same responses however their timing differs.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from closedloop.ports import (
    Chunk,
    Clock,
    ClockProbe,
    Marker,
    Pixels,
    SourceDied,
    SourceEvent,
    StreamInfo,
    StreamOverflow,
)
from closedloop.protocol.models import Liveness
from hardware.lsl.gaps import Continuity
from hardware.lsl.liveness import LivenessMonitor, thresholds
from hardware.lsl.simulated_values import Respond, Sent, Values

_UNCERTAINTY_S = 1e-5
_KEEP_ALIVE = ("spikes", "trials")


@dataclass(frozen=True)
class SimulatedFaults:
    """What is wrong with the sender at present; times are of the clock."""

    silent_from_s: float = float("inf")
    silent_until_s: float = float("inf")
    backlog: bool = False  # what was not sent during the silence comes afterwards (a hung sender), or never
    nan_from_s: float = float("inf")
    nan_until_s: float = -float("inf")
    connected: bool = True
    lose_chunks: int = 0


class SimulatedMarkers:
    """A marker sink that keeps what it was given in ``sent``."""

    def __init__(self) -> None:
        self.sent: list[Marker] = []

    def send(self, marker: Marker) -> None:
        """Keep one marker."""
        self.sent.append(marker)


class SimulatedSource:
    """Implements ``ResponseSource``; ``SimulatedStage`` tells it by ``on_show`` what came on.

    Args:
        clock: of the session, real or virtual; all in one thread.
        info: the stream that it plays: kind, rate, channels and dtype count.
        respond: firing rates in spikes/s, one for each unit, that an image evokes.
        seed: of all draws.
        liveness: ages of the protocol.
        poisson: rates, counts and trials get the variability of Poisson spike counts too (spikes always).
        baseline_hz: rate of every unit when no image drives it.
        latency_s: from onset to the response's start.
        duration_s: from onset to the response's end.
        fixation: a fixation stream to play beside it: always 1, but for ``break_fixation``.
        lag_s: the sender is behind by so much, as devices are; ``on_show`` has that much more time.
        values: what it sends, in place of what the arguments from ``respond`` to ``duration_s`` say.
    """

    def __init__(
        self,
        clock: Clock,
        info: StreamInfo,
        respond: Respond,
        *,
        seed: int = 0,
        liveness: Liveness | None = None,
        poisson: bool = False,
        baseline_hz: float = 5.0,
        latency_s: float = 0.045,
        duration_s: float = 0.2,
        fixation: StreamInfo | None = None,
        lag_s: float = 0.02,
        values: Sent | None = None,
    ) -> None:
        self._clock = clock
        self._lag_s = lag_s
        self._liveness = Liveness() if liveness is None else liveness
        self._values: Sent = values or Values(
            info, respond, seed, poisson, baseline_hz, latency_s, duration_s
        )
        self._streams = [_Stream(info, self._liveness, clock.now())]
        if fixation is not None:
            self._streams.append(_Stream(fixation, self._liveness, clock.now()))
        self._breaks: list[tuple[float, float]] = []
        self._faults = SimulatedFaults()
        self._is_open = False
        self._dead = ""

    def open(self) -> Sequence[StreamInfo]:
        """Begin to send at the clock's time."""
        self._is_open = True
        for stream in self._streams:
            stream.begin(self._clock.now())
        return tuple(stream.info for stream in self._streams)

    def on_show(self, trial: int, image: Pixels, onset_s: float, offset_s: float) -> None:
        """The image ``(h, w, 3)`` of a trial came on at ``onset_s`` and goes off at ``offset_s``.

        Must be called before ``poll`` has sent what it evokes: within ``lag_s + latency_s`` of the onset
        (kind ``spikes``, which has a baseline from the onset on: within ``lag_s`` to be sure).

        Raises:
            RuntimeError: it was not; the response would depend on when it was called.
        """
        evoked = self._values.evoke(trial, image, onset_s, offset_s)
        late_s = self._streams[0].sent_until_s - evoked.first_s
        if late_s > 0:
            raise RuntimeError(f"trial {trial} was shown {late_s:.3f} s after its response was due")

    def poll(self) -> Sequence[SourceEvent]:
        """Return what the sender has sent up to the clock's time, and changes of state."""
        if not self._is_open:
            return ()
        now_s = self._clock.now()
        if self._dead:
            self._is_open = False
            return (SourceDied(self._dead, now_s),)
        events: list[SourceEvent] = []
        for stream in self._streams:
            self._send(stream, now_s, events)
            change = stream.monitor.tick(now_s)
            if change is not None:
                events.append(change)
        self._values.forget(self._streams[0].sent_until_s)
        return events

    def close(self) -> None:
        """Send no more."""
        self._is_open = False

    # --- faults ---------------------------------------------------------------------------------------

    def gap(self, seconds: float) -> None:
        """From now on the sender loses its samples for so long."""
        now_s = self._clock.now()
        self._faults = replace(
            self._faults, silent_from_s=now_s, silent_until_s=now_s + seconds, backlog=False
        )

    def hang(self, seconds: float = float("inf")) -> None:
        """From now on the sender hangs for so long; then it sends what it has not sent."""
        now_s = self._clock.now()
        self._faults = replace(
            self._faults, silent_from_s=now_s, silent_until_s=now_s + seconds, backlog=True
        )

    def wake(self) -> None:
        """A hanging sender goes on now."""
        self._faults = replace(self._faults, silent_until_s=self._clock.now())

    def disconnect(self) -> None:
        """The sender is gone."""
        self._faults = replace(self._faults, connected=False)

    def restart(self) -> None:
        """The sender is there again, after ``disconnect`` or without it, in a new segment."""
        self._faults = SimulatedFaults()
        for stream in self._streams:
            stream.restart(self._clock.now())

    def send_nan(self, seconds: float) -> None:
        """All values are NaN for so long (float streams)."""
        now_s = self._clock.now()
        self._faults = replace(self._faults, nan_from_s=now_s, nan_until_s=now_s + seconds)

    def overflow(self, chunks: int = 1) -> None:
        """The next chunks of the response are lost in the queue."""
        self._faults = replace(self._faults, lose_chunks=chunks)

    def break_fixation(self, seconds: float) -> None:
        """The fixation stream is 0 for so long."""
        self._breaks.append((self._clock.now(), self._clock.now() + seconds))

    def die(self, reason: str = "simulated death") -> None:
        """The source's process is gone with the next poll."""
        self._dead = reason

    # --- sending --------------------------------------------------------------------------------------

    def _send(self, stream: _Stream, now_s: float, events: list[SourceEvent]) -> None:
        events.extend(stream.news)
        stream.news.clear()
        if not self._faults.connected:
            change = stream.monitor.disconnected(now_s, "the sender's connection broke")
            if change is not None:
                events.append(change)
            return
        spans, sent_until_s = self._spans(stream.sent_until_s, now_s - self._lag_s)
        for start_s, stop_s in spans:
            if stream.info.role == "fixation":
                stamps_s, values = self._fixation(stream.info, start_s, stop_s)
            else:
                stamps_s, values = self._values.between(start_s, stop_s)
            if values.dtype.kind == "f":
                answers = values[:, 1:] if stream.info.kind == "trials" else values
                wrong = (stamps_s > self._faults.nan_from_s) & (stamps_s <= self._faults.nan_until_s)
                answers[wrong] = np.nan
            if len(stamps_s):
                self._deliver(stream, stamps_s, values, now_s, events)
        stream.sent_until_s = sent_until_s

    def _spans(self, start_s: float, stop_s: float) -> tuple[list[tuple[float, float]], float]:
        """Return what of a time the sender sends now, and up to where it is done with."""
        silent_s, wakes_s = self._faults.silent_from_s, self._faults.silent_until_s
        if stop_s <= start_s:
            return [], start_s
        if stop_s <= silent_s or start_s >= wakes_s or (self._faults.backlog and stop_s >= wakes_s):
            return [(start_s, stop_s)], stop_s
        spans = [(start_s, silent_s)] if start_s < silent_s else []
        if self._faults.backlog:
            return spans, max(start_s, silent_s)
        if stop_s > wakes_s:
            spans.append((wakes_s, stop_s))
        return spans, stop_s

    def _deliver(
        self,
        stream: _Stream,
        stamps_s: np.ndarray,
        values: np.ndarray,
        now_s: float,
        events: list[SourceEvent],
    ) -> None:
        for start, stop, gap in stream.continuity.pieces(stamps_s):
            stream.segment += gap
            chunk = Chunk(
                role=stream.info.role,
                segment=stream.segment,
                sequence=stream.sequence,
                stamps_raw_s=stamps_s[start:stop],
                values=values[start:stop],
                correction_s=0.0,
                uncertainty_s=_UNCERTAINTY_S,
                received_s=now_s,
            )
            stream.sequence += 1
            change = stream.monitor.heard(float(chunk.stamps_raw_s[-1]), now_s, _UNCERTAINTY_S)
            if change is not None:
                events.append(change)
            if self._faults.lose_chunks and stream.info.role == "response":
                self._faults = replace(self._faults, lose_chunks=self._faults.lose_chunks - 1)
                events.append(StreamOverflow(stream.info.role, 1, now_s))
            else:
                events.append(chunk)

    def _fixation(self, info: StreamInfo, start_s: float, stop_s: float) -> tuple[np.ndarray, np.ndarray]:
        rate_hz = info.nominal_hz or 100.0
        ticks = np.arange(np.floor(start_s * rate_hz) + 1, np.floor(stop_s * rate_hz) + 1)
        stamps_s = ticks / rate_hz
        values = np.ones((len(stamps_s), 1), dtype=info.dtype)
        for begin_s, end_s in self._breaks:
            values[(stamps_s >= begin_s) & (stamps_s < end_s)] = 0
        return stamps_s, values


class _Stream:
    """How far one stream has been sent, and how it is."""

    def __init__(self, info: StreamInfo, liveness: Liveness, now_s: float) -> None:
        self.info = info
        self.segment = 0
        self.sequence = 0
        self.sent_until_s = now_s
        self.news: list[SourceEvent] = []
        self.continuity = Continuity(info.nominal_hz)
        # it sends keep-alives from its first moment on
        limits = thresholds(info.kind, info.nominal_hz, liveness, keep_alive=info.kind in _KEEP_ALIVE)
        self.monitor = LivenessMonitor(info.role, limits, now_s)

    def begin(self, now_s: float) -> None:
        self.sent_until_s = now_s
        self.monitor.connected(now_s)
        self.news.append(self.monitor.note(now_s, "opened"))
        self.news.append(ClockProbe(self.info.role, self.segment, now_s, 0.0, _UNCERTAINTY_S))

    def restart(self, now_s: float) -> None:
        change = self.monitor.disconnected(now_s, "the sender was restarted")
        if change is not None:
            self.news.append(change)
        self.segment += 1
        self.continuity.restart()
        self.sent_until_s = now_s
        self.monitor.connected(now_s)
        self.news.append(ClockProbe(self.info.role, self.segment, now_s, 0.0, _UNCERTAINTY_S))
