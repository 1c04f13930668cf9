"""A stage without a window: it computes when the flips would have been."""

from __future__ import annotations

import math
from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from enum import Enum
from typing import TypeAlias

import numpy as np

from closedloop.errors import StageError
from closedloop.ports import (
    Clock,
    DisplayReport,
    FixationChange,
    FixationChanged,
    Float64,
    KeyPress,
    Onset,
    Pixels,
    Showing,
    Shown,
    StageClosed,
    StageEvent,
)
from closedloop.protocol.models import Display
from hardware.stage.geometry import pixels_per_deg
from hardware.stage.images import check_image
from hardware.stage.orders import OrderBook
from hardware.stage.schedule import follows_at_once, gives_way, missed_frames

OnShow: TypeAlias = Callable[[int, Pixels, float, float], None]
"""Called at onset with the trial, the image, and the times of its onset and offset."""


_ROUNDING = 1e-6  # frames


class StageFault(str, Enum):
    """What may befall a stage."""

    CLOSED_BY_HAND = "closed by hand"
    DIED = "died"
    HANGS = "hangs"  # is there, and says nothing any more


@dataclass(frozen=True)
class _Queued:
    order: Showing
    image: Pixels
    ordered_s: float


@dataclass(frozen=True)
class _Running:
    order: Showing
    places: tuple[int, ...]  # of its flips on the grid
    flips_s: Float64
    on_flips: int
    complete: bool = True


class SimulatedStage:
    """Passes the same contract tests as the real one, on any clock, and is deterministic.

    Flips lie on an exact grid that begins when the stage opens. Whenever it is called it works out what
    happened up to ``clock.now()``, so it does not matter how often that is.

    Attributes:
        words: that are shown to the subject; None without any.

    Args:
        clock: real or virtual.
        display: the protocol's; its refresh is taken as measured.
        image_shape: height, width and 3 of every image.
        slots: how many images can be loaded at once.
        on_show: told of every image at its onset, so that a simulated source can answer.
        missed_frames: probability that the frame after a flip of a trial is missed.
        seed: for the missed frames.
    """

    def __init__(
        self,
        clock: Clock,
        display: Display,
        image_shape: tuple[int, int, int],
        slots: int = 32,
        on_show: OnShow | None = None,
        *,
        missed_frames: float = 0.0,
        seed: int = 0,
    ) -> None:
        self._clock = clock
        self._display = display
        self._shape = image_shape
        self._slots = slots
        self._on_show = on_show
        self._missed_frames = missed_frames
        self._rng = np.random.Generator(np.random.PCG64(np.random.SeedSequence(seed)))
        self._period_s = 1 / display.refresh_hz
        self._book = OrderBook(slots)
        self._images: dict[int, Pixels] = {}
        self._queue: deque[_Queued] = deque()
        self._running: _Running | None = None
        self._last_place = 0  # on the grid, of the flip that ended the last trial
        self._origin_s: float | None = None
        self._changes: deque[tuple[FixationChange, float]] = deque()  # with when they were ordered
        self._changed_until = 0  # place on the grid at which the last change ended
        self.words: str | None = None
        self._events: list[StageEvent] = []
        self._faults: list[tuple[float, StageFault]] = []
        self._closed = False

    @property
    def slots(self) -> int:
        """How many images can be loaded at once."""
        return self._slots

    def open(self) -> DisplayReport:
        """Begin the grid of flips.

        Raises:
            StageError: it is open, or was.
        """
        if self._origin_s is not None or self._closed:
            raise StageError(
                "stage",
                found="open",
                expected="closed",
                remedy="This is a fault of the program; please report it.",
            )
        self._origin_s = self._clock.now()
        width_px = self._display.size_px[0]
        return DisplayReport(
            size_px=self._display.size_px,
            refresh_hz=self._display.refresh_hz,
            period_s=self._period_s,
            jitter_s=0.0,
            paced_by="clock",
            pixels_per_deg=pixels_per_deg(width_px, self._display.width_cm, self._display.distance_cm),
            details={"simulated": True, "missed_frames": self._missed_frames},
        )

    def load(self, slot: int, image: Pixels) -> None:
        """Hand over an image ``(h, w, 3)`` uint8 (copied) for a slot.

        Raises:
            StageError: no such slot, a trial still needs what is in it, or the image has another shape.
        """
        self._advance()
        check_image(image, self._shape, slot)
        self._book.load(slot)
        self._images[slot] = image.copy()

    def show(self, order: Showing) -> None:
        """Queue a trial.

        Raises:
            StageError: the order can't be carried out: an empty slot, a number in use, no frames.
        """
        self._advance()
        self._book.show(order)
        if not self._closed:
            self._queue.append(_Queued(order, self._images[order.slot], self._clock.now()))

    def fixate(self, change: FixationChange) -> None:
        """Queue a change of the fixation point's colour.

        Raises:
            StageError: it has no frames.
        """
        self._advance()
        self._book.fixate(change)
        if not self._closed:
            self._changes.append((change, self._clock.now()))

    def message(self, text: str | None) -> None:
        """Show words to the subject, or take them away."""
        self._advance()
        self.words = text

    def clear(self) -> None:
        """Drop queued trials and changes that have not come on yet."""
        self._advance()
        self._book.clear()
        self._queue.clear()
        self._changes.clear()

    def cut(self) -> None:
        """Drop what ``clear`` does, and take the trial that is on off the screen with the next flip that can."""
        self.clear()
        run = self._running
        if run is None:
            return
        place = self._first_place(self._clock.now())
        if place >= run.places[-1]:
            return
        kept = tuple(p for p in run.places if p < place)
        flips_s = np.append(run.flips_s[: len(kept)], self._time_s(place))
        self._running = _Running(
            run.order, (*kept, place), flips_s, min(run.on_flips, len(kept)), complete=False
        )

    def poll(self) -> Sequence[StageEvent]:
        """Return what happened since the last call, in order."""
        self._advance()
        events, self._events = self._events, []
        return events

    def close(self) -> None:
        """End the running trial with the background. Safe to call twice."""
        if self._origin_s is not None and not self._closed:
            self._advance()
            self._cut(self._clock.now(), background=True)
        self._closed = True

    def fail(self, fault: StageFault, after_s: float = 0.0) -> None:
        """Let a fault happen some time from now."""
        self._faults.append((self._clock.now() + after_s, fault))
        self._faults.sort(key=lambda entry: entry[0])

    def press(self, key: str) -> None:
        """Press a key in the window, now."""
        self._advance()
        if not self._closed:
            self._events.append(KeyPress(key, self._clock.now()))

    def _advance(self) -> None:
        if self._origin_s is None or self._closed:
            return
        now_s = self._clock.now()
        if not self._faults or self._faults[0][0] > now_s:
            self._show_until(now_s)
            return
        time_s, fault = self._faults.pop(0)
        self._show_until(time_s)
        self._cut(time_s, background=fault is StageFault.CLOSED_BY_HAND)
        self._closed = True
        if fault is StageFault.HANGS:
            return
        by_hand = fault is StageFault.CLOSED_BY_HAND
        reason = "the window was closed by hand" if by_hand else "the stage process died, as told to"
        self._events.append(StageClosed(reason, by_hand, time_s))

    def _show_until(self, time_s: float) -> None:
        before = len(self._events)
        self._show_trials(time_s)
        self._change_fixation(time_s)
        self._events[before:] = sorted(self._events[before:], key=_when)  # keeps the order of one flip's

    def _show_trials(self, time_s: float) -> None:
        while True:
            run = self._running
            if run is not None:
                if run.flips_s[-1] > time_s:
                    return
                self._finish(run)
            if not self._queue:
                return
            queued = self._queue[0]
            place = max(
                self._last_place, self._first_place(queued.ordered_s), self._due_place(queued.order.due_s)
            )
            if self._time_s(place) > time_s:
                return
            self._queue.popleft()
            self._start(queued, place)

    def _change_fixation(self, time_s: float) -> None:
        while self._changes:
            change, ordered_s = self._changes[0]
            place = max(self._changed_until, self._first_place(ordered_s), self._due_place(change.due_s))
            if self._time_s(place) > time_s:
                return
            self._changes.popleft()
            self._changed_until = place + change.frames
            self._events.append(FixationChanged(change.number, self._time_s(place)))

    def _start(self, queued: _Queued, place: int) -> None:
        order = queued.order
        following = self._queue[0].order if self._queue else None
        at_once = following is not None and follows_at_once(order, following, self._period_s)
        on_frames = order.on_frames + at_once
        steps = 1 + (self._rng.random(on_frames + order.off_frames) < self._missed_frames)
        places = place + np.concatenate([[0], np.cumsum(steps)])
        if following is not None and gives_way(order, following):
            frames = max(1, int(np.searchsorted(places, self._due_place(following.due_s))))
            places = places[: frames + 1]
            on_frames = min(on_frames, len(places) - 1)
        flips_s = np.array([self._time_s(int(p)) for p in places])
        self._running = _Running(order, tuple(int(p) for p in places), flips_s, on_frames)
        self._events.append(Onset(order.trial, float(flips_s[0])))
        if self._on_show is not None:
            self._on_show(order.trial, queued.image, float(flips_s[0]), float(flips_s[on_frames]))

    def _finish(self, run: _Running) -> None:
        self._running = None
        self._last_place = run.places[-1]
        self._book.shown(run.order.trial)
        missed = missed_frames(run.flips_s, self._period_s)
        self._events.append(Shown(run.order.trial, run.flips_s, run.on_flips, missed, run.complete))

    def _cut(self, time_s: float, *, background: bool) -> None:
        self._queue.clear()
        self._changes.clear()
        run, self._running = self._running, None
        if run is None or not background:
            return
        flips_s = run.flips_s[run.flips_s <= time_s]
        on_flips = min(len(flips_s), run.on_flips)
        flips_s = np.append(flips_s, self._time_s(self._first_place(time_s)))
        missed = missed_frames(flips_s, self._period_s)
        self._events.append(Shown(run.order.trial, flips_s, on_flips, missed, complete=False))

    def _first_place(self, ordered_s: float) -> int:
        """The flip after next: when an order comes, the next frame is drawn already."""
        assert self._origin_s is not None  # noqa: S101  only called while open
        return math.floor((ordered_s - self._origin_s) / self._period_s) + 2

    def _due_place(self, due_s: float | None) -> int:
        """The flip that is nearest to a time; the earlier one of two that are as near."""
        assert self._origin_s is not None  # noqa: S101  only called while open
        if due_s is None:
            return 0
        return math.ceil((due_s - self._origin_s) / self._period_s - 0.5 - _ROUNDING)

    def _time_s(self, place: int) -> float:
        assert self._origin_s is not None  # noqa: S101  only called while open
        return self._origin_s + place * self._period_s


def _when(event: StageEvent) -> float:
    return float(event.flips_s[-1]) if isinstance(event, Shown) else event.time_s
