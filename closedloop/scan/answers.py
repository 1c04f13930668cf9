"""Matches the subject's presses to the events that asked for an answer."""

from __future__ import annotations

import math
from collections.abc import Sequence

from closedloop.scan.ports import ButtonPress


class Answers:
    """The answers of one scan run, as they come.

    Args:
        keys: that count; a press of another key answers nothing.
        limit_s: a press later than this after the onset answers nothing.
    """

    def __init__(self, keys: Sequence[str] = (), limit_s: float = 0.0) -> None:
        self._keys = frozenset(keys)
        self._limit_s = limit_s
        self._asked: dict[int, float] = {}
        self._answered: set[int] = set()

    def ask(self, event: int, time_s: float) -> None:
        """Tell that an event that asks for an answer came on."""
        self._asked[event] = time_s

    def feed(self, press: ButtonPress) -> int | None:
        """Return the event that a press answers: the latest one that is still open; None if there is none."""
        if press.key not in self._keys:
            return None
        best, best_s = None, -math.inf
        for event, time_s in self._asked.items():
            within = 0 <= press.time_s - time_s <= self._limit_s
            if within and event not in self._answered and time_s > best_s:
                best, best_s = event, time_s
        if best is not None:
            self._answered.add(best)
        return best

    def tally(self, now_s: float) -> tuple[int, int]:
        """Return how many events have an answer, and how many asked until now."""
        asked = sum(time_s <= now_s for time_s in self._asked.values())
        return len(self._answered), asked
