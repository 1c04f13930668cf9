"""Puts the trials of scan runs on the stage at their times, records what it did with them, and judges them."""

from __future__ import annotations

import logging
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from closedloop.errors import ProcessDiedError, WindowClosedError
from closedloop.ports import (
    Clock,
    FixationChange,
    FixationChanged,
    KeyPress,
    Marker,
    MarkerSink,
    Onset,
    Pixels,
    Showing,
    Shown,
    Stage,
    StageClosed,
)
from closedloop.scan.judge import judge
from closedloop.scan.slots import ImageSlots
from closedloop.session import SessionStore, TrialRecord
from closedloop.session.scan_store import ScanStore

log = logging.getLogger(__name__)

# A trial should be over by its time; a stage that says nothing for so long after it hangs.
_SILENT_S = 20.0
# So long after its time a trial that was dropped is taken not to have come on all the same.
_DROPPED_S = 0.5


@dataclass(frozen=True)
class TimedTrial:
    """A trial of a scan run that is to be ordered.

    Attributes:
        trial: number.
        scan: number of the scan run.
        event: of the plan.
        image: number of the image.
        due_s: when it is to come on.
        on_frames: for how long.
    """

    trial: int
    scan: int
    event: int
    image: int
    due_s: float
    on_frames: int


@dataclass
class Tally:
    """What was shown in a scan run so far.

    Attributes:
        scan: number of the run; -1 before the first.
    """

    scan: int = -1
    shown: int = 0
    invalid: int = 0
    missed_frames: int = 0


class ScanScreen:
    """The stage as scan runs use it.

    Attributes:
        slots: images in the stage.
        tally: of the run that was begun last.

    Args:
        stage: opened.
        markers: where markers go.
        store, scans: the session file.
        clock: the one clock.
        period_s: seconds per frame.
        session_id: named in every marker.
        pixels_of: returns an image by its number.
        position_deg, size_deg: of every image.
        on_key: told of keys that were pressed in the window.
    """

    def __init__(
        self,
        stage: Stage,
        markers: MarkerSink,
        store: SessionStore,
        scans: ScanStore,
        clock: Clock,
        period_s: float,
        session_id: str,
        pixels_of: Callable[[int], Pixels],
        position_deg: tuple[float, float],
        size_deg: tuple[float, float],
        on_key: Callable[[KeyPress], None],
    ) -> None:
        self._stage = stage
        self._markers = markers
        self._store = store
        self._scans = scans
        self._clock = clock
        self._period_s = period_s
        self._session_id = session_id
        self._position_deg, self._size_deg = position_deg, size_deg
        self._on_key = on_key
        self._ordered: dict[int, TimedTrial] = {}
        self._on: set[int] = set()
        self._dropped: set[int] = set()
        self._given_up: dict[int, TimedTrial] = {}  # dropped, and taken not to have come on
        self._changes: dict[int, tuple[int, int]] = {}  # number: scan run and event; also of dropped ones
        self._awaited: dict[int, int] = {}  # number: event; of changes that are neither on yet nor dropped
        self._next_change = 0
        self.slots = ImageSlots(stage, pixels_of)
        self.tally = Tally()
        self._came_on: Callable[[int, float], None] = lambda _event, _time_s: None

    def begin(self, scan: int, came_on: Callable[[int, float], None]) -> None:
        """A run begins: what is shown of it is counted from here.

        Args:
            scan: number of the run.
            came_on: told of each of its events that came on, image or fixation change, and when.
        """
        self.tally = Tally(scan)
        self._came_on = came_on

    @property
    def waiting(self) -> int:
        """Trials ordered that are not over, and not dropped."""
        return len(self._ordered) - len(self._dropped)

    @property
    def settled(self) -> bool:
        """Every trial that was ordered is over or sure not to come."""
        return not self._ordered

    def order(self, trial: TimedTrial) -> bool:
        """Record a trial, then hand it to the stage; False if there is no slot for its image."""
        slot = self.slots.load(trial.image)
        if slot is None:
            return False
        record = TrialRecord(trial.trial, 0, trial.scan, trial.image, 0, 0, trial.on_frames, 0)
        with self._store.transaction():
            self._store.order_trial(record, self._clock.now())
            self._scans.set_trial(trial.scan, trial.event, trial.trial)
        self.slots.hold(trial.image)
        self._ordered[trial.trial] = trial
        self._stage.show(
            Showing(
                trial.trial, slot, trial.on_frames, 0, self._position_deg, self._size_deg, due_s=trial.due_s
            )
        )
        return True

    def fixate(
        self, scan: int, event: int, due_s: float, frames: int, color: tuple[float, float, float]
    ) -> None:
        """Have the fixation point change its colour at a time."""
        self._changes[self._next_change] = (scan, event)
        self._awaited[self._next_change] = event
        self._stage.fixate(FixationChange(self._next_change, due_s, frames, color))
        self._next_change += 1

    def drop(self) -> list[int]:
        """Take back what has not come on yet; what is on is shown to its end.

        Returns:
            The events of the plan that were taken back.
        """
        self._stage.clear()
        taken = self._ordered.keys() - self._on - self._dropped
        self._dropped |= taken
        changes, self._awaited = self._awaited, {}
        return [self._ordered[number].event for number in sorted(taken)] + sorted(changes.values())

    def cut(self) -> None:
        """Take the image that is on off the screen; what had not come on was taken back by ``drop``."""
        self._stage.cut()

    def message(self, text: str | None) -> None:
        """Show words to the subject, or take them away."""
        self._stage.message(text)

    def mark(self, event: str, time_s: float, **detail: Any) -> None:
        """Record a marker, then send it."""
        marker = Marker(time_s, {"event": event, "session": self._session_id, **detail})
        self._store.add_marker(marker)
        self._store.after_commit(lambda: self._markers.send(marker))

    def watch(self) -> None:
        """Record and judge what happened on the stage since the last call.

        Raises:
            WindowClosedError: the window was closed by hand.
            ProcessDiedError: the stage's process is gone, or hangs.
        """
        for event in self._stage.poll():
            if isinstance(event, Onset):
                self._began(event)
            elif isinstance(event, Shown):
                self._ended(event)
            elif isinstance(event, FixationChanged):
                self._fixation_changed(event)
            elif isinstance(event, KeyPress):
                self._on_key(event)
            else:
                raise _gone(event)
        self._settle()

    def _began(self, onset: Onset) -> None:
        trial = self._ordered.get(onset.trial) or self._come_back(onset.trial)
        self._dropped.discard(onset.trial)  # it came on at the very moment that it was taken back
        self._on.add(onset.trial)
        with self._store.transaction():
            self._store.set_onset(onset.trial, onset.time_s)
            self.mark("stimulus_on", onset.time_s, **_label(trial))
        self._tell(trial.scan, trial.event, onset.time_s)

    def _come_back(self, number: int) -> TimedTrial:
        """The stage was held up in the very frame that shows a trial, while that was taken back and given up."""
        log.warning("trial %d came on although it was taken back: the stage was held up", number)
        trial = self._ordered[number] = self._given_up.pop(number)
        self.slots.hold(trial.image)
        return trial

    def _ended(self, shown: Shown) -> None:
        trial = self._ordered.pop(shown.trial)
        self._on.discard(shown.trial)
        self.slots.release(trial.image)
        fault = judge(shown, trial.due_s, self._period_s)
        with self._store.transaction():
            self._store.set_shown(shown)
            if shown.complete:
                self.mark("stimulus_off", shown.offset_s, **_label(trial))
            if fault is None:
                self._scans.accept_trial(shown.trial, self._clock.now())
            else:
                self._store.reject_trial(shown.trial, fault.reason, fault.detail, self._clock.now())
        if trial.scan != self.tally.scan:
            return
        self.tally.shown += 1
        self.tally.invalid += fault is not None
        self.tally.missed_frames += shown.missed

    def _fixation_changed(self, change: FixationChanged) -> None:
        scan, event = self._changes.pop(change.number)
        self._awaited.pop(change.number, None)
        with self._store.transaction():
            self._scans.set_fixation(scan, event, change.time_s)
            self.mark("fixation_change", change.time_s, scan=scan, planned=event)
        self._tell(scan, event, change.time_s)

    def _tell(self, scan: int, event: int, time_s: float) -> None:
        if scan == self.tally.scan:
            self._came_on(event, time_s)

    def _settle(self) -> None:
        """Say of dropped trials that they never came; a stage that hangs says nothing, so its silence must."""
        now_s = self._clock.now()
        for number in [n for n in self._dropped if now_s > self._ordered[n].due_s + _DROPPED_S]:
            trial = self._given_up[number] = self._ordered.pop(number)
            self._dropped.discard(number)
            self.slots.release(trial.image)
            self._store.reject_trial(number, "dropped", "it was taken back before its time", now_s)
        oldest = next(iter(self._ordered.values()), None)
        if oldest is None:
            return
        silent_s = now_s - oldest.due_s - oldest.on_frames * self._period_s
        if silent_s > _SILENT_S:
            raise ProcessDiedError(
                "stage process",
                found=f"no word of trial {oldest.trial} for {silent_s:.0f} s after its time",
                expected="what became of it",
                remedy="The stage hangs. The session is closed and everything up to here is in its file.",
            )


def _label(trial: TimedTrial) -> dict[str, Any]:
    return {
        "trial": trial.trial,
        "generation": trial.scan,
        "image": trial.image,
        "thread": 0,
        "scan": trial.scan,
        "planned": trial.event,
    }


def _gone(event: StageClosed) -> Exception:
    if event.by_hand:
        return WindowClosedError(
            "stimulus window",
            found="it was closed by hand",
            expected="it to stay open until the session ends",
            remedy="Use the key a (twice) to abort a run or the session.",
        )
    return ProcessDiedError(
        "stage process",
        found=event.reason,
        expected="it to run as long as the session",
        remedy="The session is closed and everything up to here is in its file.",
    )
