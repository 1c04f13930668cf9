"""When the next flip is due: at the display's vertical blank, or on a grid of the clock's own."""

from __future__ import annotations

import time
from typing import Protocol

from closedloop.ports import Clock

SPIN_S = 0.0015
"""How long before its target an ordinary process stops to sleep."""

REALTIME_SPIN_S = 0.0004
"""Likewise for one with real-time priority, which wakes up when it asked to."""


class Pacer(Protocol):
    """Waits for the moment of the next flip."""

    @property
    def next_flip_s(self) -> float:
        """When the next flip is expected."""
        ...

    def wait(self) -> None:
        """Wait (blocks) until the flip should be made."""
        ...

    def flipped(self, time_s: float) -> None:
        """A flip was made at ``time_s``."""
        ...


class VblankPacer:
    """For displays whose flips block until the vertical blank: there is nothing to wait for.

    Args:
        period_s: measured, seconds per frame.
    """

    def __init__(self, period_s: float) -> None:
        self._period_s = period_s
        self._last_s = float("-inf")

    @property
    def next_flip_s(self) -> float:
        """One period after the last flip."""
        return self._last_s + self._period_s

    def wait(self) -> None:
        """Return at once: the flip itself blocks."""

    def flipped(self, time_s: float) -> None:
        """Take the flip's time as where the next period begins."""
        self._last_s = time_s


class ClockPacer:
    """For displays whose flips return at once: targets on an absolute grid, ``origin + k * period``.

    It sleeps until shortly before the target and spins from there, since a sleep alone may come back a
    millisecond late. A late flip counts for the place on the grid that it came nearest to, and the next
    target is the place after that: time lost is lost, as on a real display, and flips never come in a
    burst to catch up. So the stamps tell a missed frame by the same rule as on a display with a blank.

    Args:
        clock: the session's clock.
        period_s: seconds per frame.
        spin_s: how long before the target the sleep ends.
    """

    def __init__(self, clock: Clock, period_s: float, spin_s: float = SPIN_S) -> None:
        self._clock = clock
        self._period_s = period_s
        self._spin_s = spin_s
        self._target_s = clock.now() + period_s

    @property
    def next_flip_s(self) -> float:
        """The target."""
        return self._target_s

    def wait(self) -> None:
        """Wait (blocks) until the target; not at all when it is past."""
        now = self._clock.now
        rest_s = self._target_s - now() - self._spin_s
        if rest_s > 0:
            time.sleep(rest_s)
        while now() < self._target_s:
            pass

    def flipped(self, time_s: float) -> None:
        """Move the target to the place on the grid after the one that this flip came nearest to."""
        places = round((time_s - self._target_s) / self._period_s)
        self._target_s += (max(0, places) + 1) * self._period_s
