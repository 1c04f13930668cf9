"""What an ear can say of its own listening: up to when all that came in has been handed over."""

from __future__ import annotations

import math
from collections.abc import Callable

from hardware.triggers.ear import CHECK_S

DEAF_S = 0.2
"""An ear that has not looked for so long was held up: its processor was taken away."""

LONGEST_S = 5.0
"""So long at most an ear that was held up goes on to listen before it speaks for that time."""

_APART_S = CHECK_S / 2  # a line is looked at thousands of times a second, which need not all be told


class Listening:
    """Passes on that an ear found nothing waiting, except when it can't know.

    Whoever was held up finds at first what the others have brought meanwhile, and they were mostly held up with it:
    the thread of LSL, the X server, the kernel's worker for serial ports. So an ear that did not look for a while
    must have listened for as long again, before what has not come counts as not sent.

    Args:
        tell: takes up to when everything has been handed over, on the one clock.
    """

    def __init__(self, tell: Callable[[float], None]) -> None:
        self._tell = tell
        self._looked_s: float | None = None
        self._sure_s = self._told_s = -math.inf

    def nothing_waits(self, at_s: float) -> None:
        """Take from the ear that everything which had come in by ``at_s`` has been handed over."""
        away_s = 0.0 if self._looked_s is None else at_s - self._looked_s
        self._looked_s = at_s
        if away_s > DEAF_S:
            self._sure_s = at_s + min(away_s, LONGEST_S)
        if at_s >= self._sure_s and at_s - self._told_s >= _APART_S:
            self._told_s = at_s
            self._tell(at_s)
