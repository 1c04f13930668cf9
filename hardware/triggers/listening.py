"""What an ear can say of its own listening: up to when all that came in has been handed over."""

from __future__ import annotations

import math
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass

from hardware.lsl.messages import Heartbeat
from hardware.triggers.ear import CHECK_S

DEAF_S = 0.2
"""An ear that has not looked for so long was held up: its processor was taken away."""

LONGEST_S = 5.0
"""So long at most an ear that was held up goes on to listen before it speaks for that time."""

_APART_S = CHECK_S / 2  # a line is looked at thousands of times a second, which need not all be told
_ROUNDING_S = 1e-6


@dataclass(frozen=True)
class _Away:
    """A time that was not listened to: since when, and how much is to be listened in all before it is spoken for."""

    since_s: float
    until_listened_s: float


class Listening:
    """Passes on that an ear has looked and found nothing waiting, and up to when it can know that nothing came.

    Whoever was held up finds at first what the others have brought meanwhile, and they were mostly held up with it:
    the thread of LSL, the X server, the kernel's worker for serial ports. So an ear that did not look for a while
    must have listened for as long again, before what has not come counts as not sent. If it is held up once more on
    the way, what it listened before counts all the same: one that is held up again and again is late, and not mute.

    Args:
        tell: takes each look that is told of.
    """

    def __init__(self, tell: Callable[[Heartbeat], None]) -> None:
        self._tell = tell
        self._looked_s: float | None = None
        self._told_s = -math.inf
        self._listened_s = 0.0
        self._away: deque[_Away] = deque()

    def nothing_waits(self, at_s: float) -> None:
        """Take from the ear that everything which had come in by ``at_s`` has been handed over."""
        last_s = at_s if self._looked_s is None else self._looked_s
        away_s = at_s - last_s
        self._looked_s = at_s
        self._listened_s += min(away_s, DEAF_S)
        if away_s > DEAF_S:
            self._away.append(_Away(last_s, self._listened_s + min(away_s, LONGEST_S) - _ROUNDING_S))
        while self._away and self._listened_s >= self._away[0].until_listened_s:
            self._away.popleft()
        if at_s - self._told_s >= _APART_S:
            self._told_s = at_s
            self._tell(Heartbeat(at_s, self._away[0].since_s if self._away else at_s))
