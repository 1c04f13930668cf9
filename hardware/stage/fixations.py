"""Which colour the fixation point has in the next frame."""

from __future__ import annotations

from collections import deque

from closedloop.ports import FixationChange, FixationChanged
from hardware.stage.schedule import is_due


class FixationSchedule:
    """The changes of the fixation point that are to come, and the one that is on.

    ``plan`` says what the next flip shows, ``flipped`` that it did.

    Args:
        period_s: seconds per frame.
    """

    def __init__(self, period_s: float) -> None:
        self._period_s = period_s
        self._queue: deque[FixationChange] = deque()
        self._running: FixationChange | None = None
        self._frames = 0  # that the running change was on
        self._starting: FixationChange | None = None

    def add(self, change: FixationChange) -> None:
        """Queue a change."""
        self._queue.append(change)

    def clear(self) -> None:
        """Drop the changes that have not come on yet."""
        self._queue.clear()

    def plan(self, next_flip_s: float) -> tuple[float, float, float] | None:
        """Return the colour for the next flip; None for the point's own.

        Args:
            next_flip_s: when it is expected.
        """
        self._starting = None
        run = self._running
        if run is not None and self._frames < run.frames:
            return run.color
        if self._queue and is_due(self._queue[0].due_s, next_flip_s, self._period_s):
            self._starting = self._queue[0]
            return self._starting.color
        return None

    def flipped(self, time_s: float) -> list[FixationChanged]:
        """The frame that was planned last came on the screen at ``time_s``; return what that means."""
        self._frames += 1
        if self._starting is not None:
            self._queue.popleft()
            self._running, self._frames, self._starting = self._starting, 1, None
            return [FixationChanged(self._running.number, time_s)]
        if self._running is not None and self._frames > self._running.frames:
            self._running = None
        return []
