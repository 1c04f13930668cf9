"""Reads one stream: pulls samples, stamps them with the clock's correction, watches their age."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pylsl

from closedloop.errors import StreamError
from closedloop.ports import Chunk, ClockProbe, StreamState, StreamStateChange
from closedloop.protocol.models import Liveness
from hardware.lsl.clockfit import ClockFit, Probe
from hardware.lsl.discover import on_this_machine
from hardware.lsl.gaps import Continuity
from hardware.lsl.keeper import Connection, Keeper
from hardware.lsl.liveness import LivenessMonitor, thresholds

_PULL_SAMPLES = 512
_PULL_BYTES = 1 << 17  # so that a chunk of a wide stream is small beside the queue
_PULLS = 32  # at most in one go, so that a backlog of one stream does not keep the other waiting
_KEEP_ALIVE_KINDS = ("spikes", "trials")

Emit = Callable[[ClockProbe | StreamStateChange], None]
EmitChunk = Callable[[Chunk], object]


class Reader:
    """One stream of the session.

    Args:
        first: its connection.
        liveness: ages of the protocol.
        emit: takes what must not be lost.
        emit_chunk: takes chunks.
    """

    def __init__(self, first: Connection, liveness: Liveness, emit: Emit, emit_chunk: EmitChunk) -> None:
        self._info = first.info
        self._role = first.info.role
        self._liveness = liveness
        self._emit = emit
        self._emit_chunk = emit_chunk
        self._fit = ClockFit(same_machine=on_this_machine(first.info))
        self._continuity = Continuity(first.info.nominal_hz)
        self._segment = 0
        self._sequence = 0
        self._keep_alive = False
        self._told_timeless = False
        self._keeper = Keeper(first)
        self._inlet = first.inlet
        sample_bytes = first.info.channels * np.dtype(first.info.dtype).itemsize
        self._pull_samples = max(1, min(_PULL_SAMPLES, _PULL_BYTES // sample_bytes))
        self._connected = True
        now_s = pylsl.local_clock()
        limits = thresholds(first.info.kind, first.info.nominal_hz, liveness)
        self._monitor = LivenessMonitor(self._role, limits, now_s)
        emit(self._monitor.note(now_s, "opened"))
        self._probed(first.probe)
        self._keeper.start()

    def step(self) -> None:
        """Do what there is to do, without waiting."""
        self._hear_news()
        if self._connected:
            self._pull()
        change = self._monitor.tick(pylsl.local_clock())
        if change is not None:
            self._emit(change)
            if change.state is StreamState.LOST:
                self._keeper.seek(disconnected=False)
            elif change.state is not StreamState.LATE:
                self._keeper.rest()

    def _hear_news(self) -> None:
        while not self._keeper.news.empty():
            news = self._keeper.news.get()
            if isinstance(news, Probe):
                self._probed(news)
            elif isinstance(news, StreamError):
                self._emit(self._monitor.note(pylsl.local_clock(), f"refused: {news}"))
            else:
                self._begin_anew(news)

    def _begin_anew(self, connection: Connection) -> None:
        self._inlet, self._connected = connection.inlet, True
        self._segment += 1
        self._continuity.restart()
        self._fit = ClockFit(same_machine=on_this_machine(connection.info))
        # a restarted sender has promised nothing yet
        self._keep_alive = False
        self._monitor.limits = thresholds(self._info.kind, self._info.nominal_hz, self._liveness)
        self._monitor.connected(pylsl.local_clock())
        self._probed(connection.probe)

    def _probed(self, probe: Probe) -> None:
        if self._fit.add(probe):
            self._segment += 1  # the sender's clock has stepped
        if self._fit.in_doubt:
            change = self._monitor.distrust(
                pylsl.local_clock(), "a measurement of its clock is off; it may have stepped"
            )
            if change is not None:
                self._emit(change)
        else:
            self._monitor.trust()
        self._emit(
            ClockProbe(self._role, self._segment, probe.time_s, probe.offset_s, probe.uncertainty_s / 2)
        )

    def _pull(self) -> None:
        for _ in range(_PULLS):
            try:
                values, stamps_s = self._inlet.pull_chunk(
                    timeout=0.0, max_samples=self._pull_samples, as_numpy=True
                )
            except pylsl.util.LostError:
                self._connected = False
                change = self._monitor.disconnected(pylsl.local_clock(), "the sender's connection broke")
                if change is not None:
                    self._emit(change)
                self._keeper.seek(disconnected=True)
                return
            if len(stamps_s) == 0:
                return
            self._received(values, stamps_s)
            if len(stamps_s) < self._pull_samples:
                return

    def _received(self, values: np.ndarray, stamps_s: np.ndarray) -> None:
        received_s = pylsl.local_clock()
        for start, stop, gap in self._continuity.pieces(stamps_s):
            if gap:
                self._segment += 1
                self._fit.restart()
            known_s = stamps_s[start:stop][np.isfinite(stamps_s[start:stop])]
            if len(known_s) < stop - start:
                self._say_timeless(received_s)
            # without any time, the moment of receipt chooses the correction; no sample is placed by it
            newest_s = float(known_s[-1]) if len(known_s) else received_s - self._fit.newest_offset_s
            # the fit goes by local time, which the newest probe's offset gives well enough to look it up
            correction = self._fit.at(newest_s + self._fit.newest_offset_s)
            change = None
            if len(known_s):
                change = self._monitor.heard(
                    newest_s + correction.offset_s, received_s, correction.uncertainty_s
                )
            if change is not None:
                self._emit(change)  # before the samples, so that nothing is judged by them
            self._emit_chunk(
                Chunk(
                    role=self._role,
                    segment=self._segment,
                    sequence=self._sequence,
                    stamps_raw_s=stamps_s[start:stop],
                    values=values[start:stop],
                    correction_s=correction.offset_s,
                    uncertainty_s=correction.uncertainty_s,
                    received_s=received_s,
                )
            )
            self._sequence += 1
        if not self._keep_alive and self._info.kind in _KEEP_ALIVE_KINDS and bool((values[:, 0] == -1).any()):
            self._keep_alive = True
            self._monitor.limits = thresholds(
                self._info.kind, self._info.nominal_hz, self._liveness, keep_alive=True
            )

    def _say_timeless(self, now_s: float) -> None:
        """Say once that samples come without a time; trials that need them are invalid."""
        if not self._told_timeless:
            self._told_timeless = True
            self._emit(self._monitor.note(now_s, "samples came whose time stamp is not a number"))
