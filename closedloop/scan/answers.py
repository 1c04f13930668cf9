"""Which of the subject's presses answers which event."""

from __future__ import annotations

from bisect import bisect_right, insort
from collections.abc import Sequence

from closedloop.scan.ports import ButtonPress

SOONEST_S = 0.1
"""Nobody answers what they see sooner: such a press belongs to the event before, or to none."""


class Answers:
    """The answers of one scan run, as they come: a press answers the last event that asked before it.

    An event has one answer, the first.

    Args:
        keys: that count; a press of another key answers nothing.
        limit_s: a press later than this after the onset answers nothing.
    """

    def __init__(self, keys: Sequence[str] = (), limit_s: float = 0.0) -> None:
        self._keys = frozenset(keys)
        self._limit_s = limit_s
        self._asked: list[tuple[float, int]] = []  # onset, event
        self._answered: set[int] = set()

    def ask(self, event: int, time_s: float) -> None:
        """Tell that an event that asks for an answer came on."""
        insort(self._asked, (time_s, event))

    def feed(self, press: ButtonPress) -> int | None:
        """Return the event that a press answers, if any."""
        if press.key not in self._keys:
            return None
        place = bisect_right(self._asked, press.time_s - SOONEST_S, key=lambda asked: asked[0])
        if not place:
            return None
        onset_s, event = self._asked[place - 1]
        if event in self._answered or press.time_s - onset_s > self._limit_s:
            return None
        self._answered.add(event)
        return event

    def tally(self, now_s: float) -> tuple[int, int]:
        """Return how many events have an answer, of how many that have one or whose time for it is over."""
        over = {event for onset_s, event in self._asked if onset_s + self._limit_s <= now_s}
        return len(self._answered), len(self._answered | over)
