"""Reads a recording ahead of its playing, in a thread of its own, so that no disk delays a sample."""

from __future__ import annotations

import os
import threading
from collections import deque
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from closedloop.ports import Float64
from closedloop.replay.recordings.due import due_times
from closedloop.replay.recordings.recording import Damage, Piece, Recording
from hardware.lsl.player_tape import Tape

_MOST_BYTES = 64 << 20
_STEP = 0.05  # of the time ahead


@dataclass(frozen=True)
class Load:
    """A block on the tape.

    Attributes:
        due_s: (n,) when its samples are to be sent; never falls.
        times_s: (n,) their recorded times.
        values: (n, channels).
    """

    due_s: Float64
    times_s: Float64
    values: npt.NDArray[Any]


class _Reel:
    """One stream: its blocks pass after pass."""

    def __init__(self, recording: Recording, stream: int, tape: Tape, from_s: float) -> None:
        self.ready: deque[Load] = deque()
        self.ended = False
        self.until_s = -np.inf
        self._recording, self._stream, self._tape = recording, stream, tape
        self._pass, since_s = tape.place(from_s)
        self._pieces: Iterator[Piece] = recording.blocks(stream, since_s)
        self._due_s = -np.inf

    def read(self) -> Load | Damage | None:
        """Return the next block; None where the recording ends or a pass is over."""
        piece = next(self._pieces, None)
        if piece is None:
            if not self._tape.loop:
                self.ended = True
                return None
            self._pass += 1
            self._pieces = self._recording.blocks(self._stream)
            self.until_s = max(self.until_s, self._pass * self._tape.period_s)
            return None
        if isinstance(piece, Damage):
            return piece
        times_s = piece.times_s + self._pass * self._tape.period_s
        due_s = due_times(times_s, self._due_s)
        self._due_s = self.until_s = float(due_s[-1])
        return Load(due_s, times_s, piece.values)

    def close(self) -> None:
        # generators hold the file open, and must be closed in their own thread
        close = getattr(self._pieces, "close", None)
        if close is not None:
            close()


class Ahead:
    """The thread's owner. ``take`` and ``ended`` never wait.

    Args:
        recording: what is read.
        tape: once or in a loop.
        from_s: where on the tape to begin.
        ahead_s: how far ahead of what was taken, in seconds of the tape.
        tell: told what can't be read, in this thread.
        most_bytes: how much is held at most.
    """

    def __init__(
        self,
        recording: Recording,
        tape: Tape,
        from_s: float,
        ahead_s: float,
        tell: Callable[[Damage], object],
        most_bytes: int = _MOST_BYTES,
    ) -> None:
        self.error: Exception | None = None
        self._reels = [_Reel(recording, stream, tape, from_s) for stream in range(len(recording.streams))]
        self._tell = tell
        self._ahead_s, self._most_bytes = ahead_s, most_bytes
        self._reached_s = from_s
        self._bytes = 0
        self._change = threading.Condition()
        self._closed = False
        self._thread = threading.Thread(target=self._run, name="player-ahead", daemon=True)
        self._thread.start()

    def take(self, stream: int) -> Load | None:
        """Return the next block of a stream, or None if none is ready or the stream has ended.

        Raises:
            ClosedLoopError: the recording can't be read any further, and what came before was taken.
        """
        reel = self._reels[stream]
        with self._change:
            if not reel.ready:
                if self.error is not None:
                    raise self.error
                return None
            load = reel.ready.popleft()
            self._bytes -= _size(load)
            self._change.notify_all()
            return load

    def ended(self, stream: int) -> bool:
        """Whether a stream has no more blocks."""
        reel = self._reels[stream]
        return reel.ended and not reel.ready

    def reached(self, tape_s: float) -> None:
        """Say where playing stands; reading goes on from there."""
        if tape_s - self._reached_s < self._ahead_s * _STEP:
            return  # called a thousand times a second, and worth waking the thread for now and then only
        with self._change:
            self._reached_s = tape_s
            self._change.notify_all()

    def wait_ready(self, timeout_s: float) -> bool:
        """Wait until every stream has been read some way ahead, or has ended (blocks)."""
        with self._change:
            return self._change.wait_for(
                lambda: self.error is not None or self._next() is None, timeout=timeout_s
            )

    def close(self) -> None:
        """End the thread; blocks until it has finished the block that it reads."""
        with self._change:
            self._closed = True
            self._change.notify_all()
        self._thread.join()

    def _run(self) -> None:
        _lower_priority()
        try:
            while (reel := self._wait_for_work()) is not None:
                piece = reel.read()
                with self._change:
                    if isinstance(piece, Damage):
                        self._tell(piece)
                    elif piece is not None:
                        reel.ready.append(piece)
                        self._bytes += _size(piece)
                    self._change.notify_all()
        except Exception as error:  # noqa: BLE001 - handed over: whoever takes blocks raises it
            with self._change:
                self.error = error
                self._change.notify_all()
        finally:
            for reel in self._reels:
                with suppress(ValueError):  # a generator that has raised is closed already
                    reel.close()

    def _wait_for_work(self) -> _Reel | None:
        with self._change:
            while not self._closed:
                reel = self._next()
                if reel is not None:
                    return reel
                self._change.wait()
        return None

    def _next(self) -> _Reel | None:
        """Return the stream that is read the least far, if it should be read further."""
        open_reels = [reel for reel in self._reels if not reel.ended]
        if not open_reels:
            return None
        reel = min(open_reels, key=lambda reel: reel.until_s)
        if reel.until_s > self._reached_s + self._ahead_s:
            return None
        # a stream without any block is read however much the others hold: it may be the next one due
        return reel if not reel.ready or self._bytes < self._most_bytes else None


def _lower_priority() -> None:
    """Give up the priority that was inherited from the playing thread."""
    if hasattr(os, "sched_setscheduler"):
        os.sched_setscheduler(0, os.SCHED_OTHER, os.sched_param(0))


def _size(load: Load) -> int:
    return load.times_s.nbytes + load.due_s.nbytes + load.values.nbytes
