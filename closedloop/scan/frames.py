"""A run's plan on whole frames of the measured display."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise, zip_longest

from closedloop.errors import TimingError
from closedloop.protocol.frames import LARGEST_RELATIVE_ERROR, NOTEWORTHY_RELATIVE_ERROR
from closedloop.scan.records import PlannedEvent, RunPlan

LARGEST_NOTES = 6
# In tables of what was shown, durations are measured ones, and may reach so far into the next event: by this
# share of their length. (ds001761 has 12.01 s before an onset 12 s later.)
MEASURED_OVERLAP = 0.01


@dataclass(frozen=True)
class EventFrames:
    """One planned event in frames.

    Attributes:
        event: its number in the plan.
        onset_frame: frame of its onset, counted from the run's start.
        on_frames: how long it is on, at least 1.
        off_frames: frames from its end to the onset of the next event of its sort, or to the run's end.
    """

    event: int
    onset_frame: int
    on_frames: int
    off_frames: int


@dataclass(frozen=True)
class RunFrames:
    """A plan in whole frames.

    Attributes:
        events: as in the plan, in its order.
        period_s: of a frame, as measured.
        duration_frames: of the whole run.
        largest_shift_s: by which an onset is off its plan at most; half a frame, however long the run.
        notes: a sentence for each duration that differs noticeably from what was asked.
    """

    events: tuple[EventFrames, ...]
    period_s: float
    duration_frames: int
    largest_shift_s: float
    notes: tuple[str, ...] = ()

    def onset_s(self, event: int) -> float:
        """Return when an event of the plan comes on, from the run's start."""
        return self.events[event].onset_frame * self.period_s


def plan_run_frames(plan: RunPlan, period_s: float) -> RunFrames:
    """Put each event on the frame that is nearest to its onset in absolute time, so that no error adds up.

    Images and null events are one sequence, changes of the fixation point another. An event of a sequence ends
    when the next one begins at the latest: rounding may cost it one frame, and where a table's durations are
    measured ones, reaching into the next event by up to a hundredth of their length, they are cut there.

    Args:
        plan: of the run.
        period_s: measured time of a frame.

    Raises:
        TimingError: the period is no period, events overlap by more than that or fall on the same frame,
            or a duration is off by more than a quarter.
    """
    if not (math.isfinite(period_s) and period_s > 0):
        raise TimingError(
            "display",
            found=f"a frame period of {period_s!r} s",
            expected="a measured period above 0",
            remedy="Measure the display with `closedloop check`.",
        )
    end = nearest_frame(plan.duration_s, period_s)
    placed: dict[int, EventFrames] = {}
    odd: dict[tuple[float, int], int] = {}
    for sequence in (("image", "null"), ("fixation",)):
        numbers = [number for number, event in enumerate(plan.events) if event.kind in sequence]
        for number, following in zip_longest(numbers, numbers[1:]):
            after = None if following is None else plan.events[following]
            placed[number] = _place(plan, number, after, period_s, end, odd)
    shifts = [
        abs(placed[number].onset_frame * period_s - event.onset_s) for number, event in enumerate(plan.events)
    ]
    return RunFrames(
        tuple(placed[number] for number in range(len(plan.events))),
        period_s,
        end,
        max(shifts, default=0.0),
        _notes(odd, period_s),
    )


def nearest_frame(time_s: float, period_s: float) -> int:
    """Return the frame nearest to a time; halfway between two the later one."""
    return math.floor(time_s / period_s + 0.5)


def _place(
    plan: RunPlan,
    number: int,
    after: PlannedEvent | None,
    period_s: float,
    end: int,
    odd: dict[tuple[float, int], int],
) -> EventFrames:
    event = plan.events[number]
    onset = nearest_frame(event.onset_s, period_s)
    limit = max(end, onset + 1) if after is None else nearest_frame(after.onset_s, period_s)
    asked = event.duration_s / period_s
    frames = math.floor(asked + 0.5)
    if frames == 0 or abs(frames - asked) / asked > LARGEST_RELATIVE_ERROR:
        raise TimingError(
            _where(plan, number),
            found=f"{1000 * event.duration_s:g} ms, which is {asked:.2f} frames at {1 / period_s:.2f} Hz",
            expected=f"a duration near whole frames of {1000 * period_s:.2f} ms",
            remedy=f"For example {1000 * max(1, frames) * period_s:.1f} ms.",
        )
    if after is not None:
        overlap_s = event.onset_s + event.duration_s - after.onset_s
        if limit <= onset or overlap_s > max(period_s / 2, MEASURED_OVERLAP * event.duration_s):
            raise TimingError(
                _where(plan, number),
                found=f"an event until {event.onset_s + event.duration_s:.3f} s, "
                f"while the next one begins at {after.onset_s:.3f} s",
                expected="events one after the other, each on frames of its own",
                remedy="Make it shorter, or the next one later; rows of a table are left out by design.skip.",
            )
    if abs(frames - asked) / asked > NOTEWORTHY_RELATIVE_ERROR:
        key = (round(event.duration_s, 4), frames)
        odd[key] = odd.get(key, 0) + 1
    on = min(frames, limit - onset)
    return EventFrames(number, onset, on, limit - onset - on)


def _notes(odd: dict[tuple[float, int], int], period_s: float) -> tuple[str, ...]:
    notes = [
        f"{count} event{'' if count == 1 else 's'}: asked {1000 * asked_s:g} ms, "
        f"get {1000 * frames * period_s:.1f} ms ({frames} frame{'' if frames == 1 else 's'} "
        f"at {1 / period_s:.2f} Hz)."
        for (asked_s, frames), count in odd.items()
    ]
    if len(notes) > LARGEST_NOTES:
        more = len(notes) - LARGEST_NOTES
        notes = [*notes[:LARGEST_NOTES], f"And {more} more durations that do not fit whole frames."]
    return tuple(notes)


def _where(plan: RunPlan, number: int) -> str:
    event = plan.events[number]
    return f"run {plan.label}, event {number + 1} ({event.trial_type} at {event.onset_s:.3f} s)"


def onset_intervals(events: Sequence[EventFrames]) -> list[int]:
    """Return the frames from each onset to the next."""
    return [after.onset_frame - event.onset_frame for event, after in pairwise(events)]
