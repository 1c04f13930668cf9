"""What the next frame shows: trials as whole frames, one after the other, without a gap."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field

import numpy as np

from closedloop.ports import Float64, Onset, Showing, Shown


def missed_frames(flips_s: Float64, period_s: float) -> int:
    """How many frames were missed between flips: ``round(dt / period) - 1`` for each, none below 0.

    A flip whose stamp came late makes the next interval short; that must not make up for a missed frame.
    """
    frames = np.rint(np.diff(flips_s) / period_s).astype(np.int64)
    return int(np.maximum(frames - 1, 0).sum())


@dataclass
class _Running:
    order: Showing
    flips_s: list[float] = field(default_factory=list)

    @property
    def frames(self) -> int:
        return self.order.on_frames + self.order.off_frames

    def shown(self, period_s: float, on_flips: int, complete: bool) -> Shown:
        flips_s = np.array(self.flips_s)
        missed = missed_frames(flips_s, period_s)
        return Shown(self.order.trial, flips_s, on_flips, missed, complete)


class Schedule:
    """The trials that are to be shown, and the one that is.

    ``plan`` says what the next flip shows, ``flipped`` that it did. Neither knows of a window.

    Args:
        period_s: seconds per frame.
    """

    def __init__(self, period_s: float) -> None:
        self._period_s = period_s
        self._queue: deque[Showing] = deque()
        self._running: _Running | None = None
        self._starting: Showing | None = None

    @property
    def idle(self) -> bool:
        """No trial is running or waiting."""
        return self._running is None and not self._queue

    @property
    def running(self) -> bool:
        """A trial is on the screen, or in its off time."""
        return self._running is not None

    @property
    def slot_on_screen(self) -> int | None:
        """Slot of the image that was shown by the last flip, if there was one."""
        run = self._running
        return run.order.slot if run is not None and len(run.flips_s) <= run.order.on_frames else None

    @property
    def next_slot(self) -> int | None:
        """Slot of the trial that comes next."""
        return self._queue[0].slot if self._queue else None

    @property
    def background_ahead(self) -> bool:
        """The running trial still has frames of background to come."""
        return self._running is not None and self._running.order.off_frames > 0

    def add(self, order: Showing) -> None:
        """Queue a trial."""
        self._queue.append(order)

    def clear(self) -> None:
        """Drop the trials that have not come on yet."""
        self._queue.clear()

    def plan(self, ready: Callable[[int], bool]) -> Showing | None:
        """Return the trial whose image the next flip shows, or None for the background.

        Args:
            ready: whether a slot's image has been uploaded; a trial whose image has not waits.
        """
        self._starting = None
        run = self._running
        if run is not None and len(run.flips_s) < run.frames:
            return run.order if len(run.flips_s) < run.order.on_frames else None
        if self._queue and ready(self._queue[0].slot):
            self._starting = self._queue[0]
        return self._starting

    def flipped(self, time_s: float) -> list[Onset | Shown]:
        """The frame that was planned last came on the screen at ``time_s``; return what that means."""
        events: list[Onset | Shown] = []
        run = self._running
        if run is not None:
            run.flips_s.append(time_s)
            if len(run.flips_s) > run.frames:
                events.append(run.shown(self._period_s, run.order.on_frames, complete=True))
                self._running = None
        if self._starting is not None:
            self._queue.popleft()
            self._running = _Running(self._starting, [time_s])
            events.append(Onset(self._starting.trial, time_s))
            self._starting = None
        return events

    def cut(self, time_s: float | None) -> list[Shown]:
        """Give up: drop what waits, and end the trial that runs, if any, with the flip at ``time_s``.

        Args:
            time_s: of the flip that showed the background; None if there was none.
        """
        self._queue.clear()
        self._starting = None
        run, self._running = self._running, None
        if run is None:
            return []
        on_flips = min(len(run.flips_s), run.order.on_frames)
        if time_s is not None:
            run.flips_s.append(time_s)
        return [run.shown(self._period_s, on_flips, complete=False)]
