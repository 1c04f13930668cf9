"""Deals out the events of one run, each some time before it is due."""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping, Sequence

from closedloop.protocol.sections.scan_task import FixationTask, Task
from closedloop.scan.asked import right_keys
from closedloop.scan.frames import plan_run_frames
from closedloop.scan.records import PlannedEvent, RunPlan
from closedloop.scan.screen import ScanScreen, TimedTrial

log = logging.getLogger(__name__)

# Trials handed to the stage ahead: enough to bridge anything slow in this process, few enough that a pause
# leaves none of a run's images needlessly unshown.
AHEAD_S = 6.0
AHEAD_TRIALS = 8
LEAST_AHEAD = 2
# An event whose time has passed by more than this while the run was paused is left out.
PASSED_S = 0.05


class Dealer:
    """The events of one run that are still to come.

    Attributes:
        left_out: events of image and fixation that were not shown since the run was paused at their time.
        past: those that were over before they could be handed over, as when the start was known late.

    Args:
        plan: of the run.
        scan: its number.
        images: number of each stimulus.
        screen: where events go.
        period_s: seconds per frame.
        task: of the subject.
        first_trial: number of the first trial.
    """

    def __init__(
        self,
        plan: RunPlan,
        scan: int,
        images: Mapping[str, int],
        screen: ScanScreen,
        period_s: float,
        task: Task | None,
        first_trial: int,
    ) -> None:
        self._plan = plan
        self._scan = scan
        self._images = images
        self._screen = screen
        self._color = task.color if isinstance(task, FixationTask) else (1.0, 1.0, 1.0)
        self._frames = [placed.on_frames for placed in plan_run_frames(plan, period_s).events]
        self._shown = [(n, e) for n, e in enumerate(plan.events) if e.kind == "image"]
        self._changes = [(n, e) for n, e in enumerate(plan.events) if e.kind == "fixation"]
        self.next_trial = first_trial
        self.left_out = 0
        self.past = 0

    @property
    def done(self) -> bool:
        """Every event was handed over or left out."""
        return not self._shown and not self._changes

    def load_ahead(self) -> None:
        """Get the first images into the stage before the run."""
        for _, event in self._shown[:AHEAD_TRIALS]:
            self._screen.slots.load(self._image(event))

    def deal(self, start_s: float, now_s: float) -> None:
        """Hand over what is due soon, and load what comes after it.

        Args:
            start_s: the first stored volume, from which onsets count; the same in every call, so that no error adds up.
            now_s: now.
        """
        self._pass_over(start_s, now_s)
        while self._changes and start_s + self._changes[0][1].onset_s - now_s < AHEAD_S:
            number, event = self._changes.pop(0)
            due_s = start_s + event.onset_s
            self._screen.fixate(self._scan, number, due_s, self._frames[number], self._color)
        while self._shown and self._screen.waiting < AHEAD_TRIALS:
            number, event = self._shown[0]
            due_s = start_s + event.onset_s
            if due_s - now_s > AHEAD_S and self._screen.waiting >= LEAST_AHEAD:
                break
            image = self._image(event)
            trial = TimedTrial(self.next_trial, self._scan, number, image, due_s, self._frames[number])
            if not self._screen.order(trial):
                break
            self._shown.pop(0)
            self.next_trial += 1
        for _, event in self._shown[:LEAST_AHEAD]:
            self._screen.slots.load(self._image(event))

    def take_back(self, events: Sequence[int]) -> None:
        """Events that were handed over did not come on: they are still to come, or will be left out."""
        again = [(number, self._plan.events[number]) for number in events]
        self._shown = sorted([*self._shown, *((n, e) for n, e in again if e.kind == "image")], key=_place)
        self._changes = sorted(
            [*self._changes, *((n, e) for n, e in again if e.kind == "fixation")], key=_place
        )

    def skip(self, start_s: float, now_s: float) -> None:
        """Leave out what was due while the run was paused."""
        self.left_out += self._leave_out(
            lambda event: start_s + event.onset_s < now_s - PASSED_S, "the run was paused at its time"
        )

    def _pass_over(self, start_s: float, now_s: float) -> None:
        """Leave out what would be over by now: shown late, it would only take time from what comes after it."""
        self.past += self._leave_out(
            lambda event: start_s + event.onset_s + event.duration_s < now_s,
            "its time was over before it came",
        )

    def _leave_out(self, gone: Callable[[PlannedEvent], bool], why: str) -> int:
        """Leave out the next events for as long as they are gone; return how many."""
        count = 0
        for waiting in (self._shown, self._changes):
            while waiting and gone(waiting[0][1]):
                number, _ = waiting.pop(0)
                count += 1
                log.warning("event %d was left out: %s", number, why)
        return count

    def next_words(self, start_s: float | None, now_s: float) -> str:
        """Say what comes next, for the operator."""
        ahead = [e for e in self._plan.events if start_s is None or start_s + e.onset_s > now_s]
        if not ahead:
            return ""
        what = (
            ahead[0].trial_type if ahead[0].stimulus is None else f"{ahead[0].trial_type} {ahead[0].stimulus}"
        )
        wait_s = ahead[0].onset_s if start_s is None else start_s + ahead[0].onset_s - now_s
        return f"{what} in {wait_s:.1f} s" if start_s is not None else f"{what} at {wait_s:.1f} s"

    def _image(self, event: PlannedEvent) -> int:
        assert event.stimulus is not None  # noqa: S101  an event of kind image has one
        return self._images[event.stimulus]


def _place(numbered: tuple[int, PlannedEvent]) -> int:
    return numbered[0]


def asking_events(events: Sequence[PlannedEvent], task: Task | None) -> frozenset[int]:
    """Return the events of a plan that ask the subject for an answer."""
    return frozenset(number for number, event in enumerate(events) if right_keys(task, event))
