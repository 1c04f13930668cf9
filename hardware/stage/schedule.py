"""What the next frame shows: trials as whole frames, one after the other, without a gap."""

from __future__ import annotations

import math
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field

import numpy as np

from closedloop.ports import Float64, Onset, Showing, Shown

_LAG_FRAMES = 30
"""Over so many frames lateness adds up to missed ones; over more, the error of the measured period would too."""


def missed_frames(flips_s: Float64, period_s: float) -> int:
    """How many frames were missed between flips: ``round(dt / period) - 1`` for each, none below 0.

    A flip whose stamp came late makes the next interval short; that must not make up for a missed frame.
    Where no vertical blank puts flips on a grid, several can each come somewhat late, and the image stands a
    whole frame too long though no interval tells it: then the lateness that has added up counts.
    """
    frames = np.diff(flips_s) / period_s
    single = int(np.maximum(np.rint(frames).astype(np.int64) - 1, 0).sum())
    late = np.concatenate([np.zeros(_LAG_FRAMES + 1), np.cumsum(frames - 1)])  # of each flip, the first: 0
    before = np.lib.stride_tricks.sliding_window_view(late, _LAG_FRAMES + 1).min(axis=1)
    return max(single, round(float((late[_LAG_FRAMES:] - before).max(initial=0.0))))


def is_due(due_s: float, next_flip_s: float, period_s: float) -> bool:
    """Whether what is due at a time belongs to the next flip: no flip after it is nearer."""
    return next_flip_s >= due_s - period_s / 2


def follows_at_once(order: Showing, following: Showing, period_s: float) -> bool:
    """Whether a trial that is due at a time has no background before it, by the times of both.

    Two such trials must not have a gap between them when the frames between their flips are one more than the
    first one's: then that one stays a frame longer.
    """
    if order.due_s is None or following.due_s is None or order.off_frames:
        return False
    return abs((following.due_s - order.due_s) / period_s - order.on_frames) < 1


def gives_way(order: Showing, following: Showing) -> bool:
    """Whether a trial ends when the next one is due, however many of its frames are lacking then.

    So what comes late, or misses frames, takes no time from those after it.
    """
    return order.due_s is not None and following.due_s is not None and following.due_s > order.due_s


@dataclass
class _Running:
    order: Showing
    flips_s: list[float] = field(default_factory=list)
    before_s: float | None = None  # the flip before the first one
    on_flips: int = 1
    ending: bool = False  # with the next flip
    cut: bool = False  # it is to end with the next flip, whatever it lacks
    whole: bool = True  # it ends as it was to, not because it was cut

    @property
    def frames(self) -> int:
        return self.order.on_frames + self.order.off_frames

    def shown(self, period_s: float, on_flips: int, complete: bool) -> Shown:
        flips_s = np.array(self.flips_s)
        # the interval before the onset counts, too: a flip that comes a frame late may have been on the screen
        # in time and stamped late, and then the onset is not known
        known_s = flips_s if self.before_s is None else np.array([self.before_s, *self.flips_s])
        missed = missed_frames(known_s, period_s)
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
        self._last_flip_s: float | None = None

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
        return run.order.slot if run is not None and run.on_flips == len(run.flips_s) else None

    @property
    def next_slot(self) -> int | None:
        """Slot of the trial that comes next."""
        return self._queue[0].slot if self._queue else None

    @property
    def next_due_s(self) -> float:
        """When the trial that comes next is due: minus infinity as soon as it can be, infinity without any."""
        if not self._queue:
            return math.inf
        due_s = self._queue[0].due_s
        return -math.inf if due_s is None else due_s

    @property
    def frame_ahead(self) -> int:
        """Which frame of its trial the next flip shows, as planned last, counted from 0."""
        if self._starting is not None or self._running is None:
            return 0
        return len(self._running.flips_s)

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

    def cut_next(self) -> None:
        """Drop the trials that have not come on yet, and end the one that runs with the next flip."""
        self._queue.clear()
        if self._running is not None:
            self._running.cut = True

    def plan(self, ready: Callable[[int], bool], next_flip_s: float = math.inf) -> Showing | None:
        """Return the trial whose image the next flip shows, or None for the background.

        Args:
            ready: whether a slot's image has been uploaded; a trial whose image has not waits.
            next_flip_s: when the next flip is expected; a trial that is due at some time waits for the flip
                nearest to it.
        """
        self._starting = None
        run = self._running
        if run is not None:
            run.whole = self._ends(run, next_flip_s)
            run.ending = run.whole or run.cut
            if not run.ending:
                return run.order if self._still_on(run) else None
        due = is_due(self.next_due_s, next_flip_s, self._period_s)
        if self._queue and due and ready(self._queue[0].slot):
            self._starting = self._queue[0]
        return self._starting

    def flipped(self, time_s: float) -> list[Onset | Shown]:
        """The frame that was planned last came on the screen at ``time_s``; return what that means."""
        events: list[Onset | Shown] = []
        run = self._running
        if run is not None:
            run.on_flips += not run.ending and self._still_on(run)
            run.flips_s.append(time_s)
            if run.ending:
                events.append(run.shown(self._period_s, run.on_flips, complete=run.whole))
                self._running = None
        if self._starting is not None:
            self._queue.popleft()
            self._running = _Running(self._starting, [time_s], self._last_flip_s)
            events.append(Onset(self._starting.trial, time_s))
            self._starting = None
        self._last_flip_s = time_s
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
        if time_s is not None:
            run.flips_s.append(time_s)
        return [run.shown(self._period_s, run.on_flips, complete=False)]

    def _still_on(self, run: _Running) -> bool:
        """Whether the next flip, which belongs to the running trial, shows its image."""
        return len(run.flips_s) < run.order.on_frames or not run.order.off_frames

    def _ends(self, run: _Running, next_flip_s: float) -> bool:
        """Whether the next flip no longer belongs to the running trial."""
        lacking = run.frames - len(run.flips_s)
        if not self._queue or not gives_way(run.order, self._queue[0]):
            return lacking <= 0
        longest = run.frames + follows_at_once(run.order, self._queue[0], self._period_s)
        return len(run.flips_s) >= longest or is_due(self.next_due_s, next_flip_s, self._period_s)
