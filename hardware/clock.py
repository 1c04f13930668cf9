"""The clock of a session, and the one that moves itself on for accelerated simulated sessions."""

from __future__ import annotations

import math
import time

import pylsl


class LslClock:
    """``pylsl.local_clock``: the one clock of every process of a session.

    On Linux it is the monotonic clock of the machine, so all processes read the same one and it never
    follows the wall clock.
    """

    def now(self) -> float:
        """Return the time in LSL ``local_clock`` seconds."""
        return float(pylsl.local_clock())

    def sleep(self, seconds: float) -> None:
        """Wait (blocks); not at all for 0 or less."""
        if seconds > 0:
            time.sleep(seconds)


class VirtualClock:
    """A clock that stands still until somebody sleeps: an hour's session then takes seconds.

    Everything that shares one instance lives in the same time, so it serves a single thread.

    Args:
        start_s: the time that it starts at.
        stride_s: it never sleeps for less: a session's loop mostly waits in small steps, each of which takes
            computing.
    """

    def __init__(self, start_s: float = 1000.0, stride_s: float = 0.0) -> None:
        self._now_s = float(start_s)
        self._stride_s = stride_s

    def now(self) -> float:
        """Return the virtual time in seconds."""
        return self._now_s

    def sleep(self, seconds: float) -> None:
        """Move the clock on by ``seconds`` at once, or by a stride; without one not at all for 0 or less.

        Raises:
            ValueError: the time is not a finite number.
        """
        if not math.isfinite(seconds):
            raise ValueError(f"cannot sleep {seconds} s")
        self._now_s += max(0.0, seconds, self._stride_s)
