from __future__ import annotations

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from closedloop.errors import TimingError
from closedloop.scan.frames import onset_intervals, plan_run_frames
from closedloop.scan.records import PlannedEvent, RunPlan


def run_of(*events: PlannedEvent, duration_s: float = 100) -> RunPlan:
    return RunPlan("1", events, duration_s, 50)


def image(onset_s: float, duration_s: float) -> PlannedEvent:
    return PlannedEvent(onset_s, duration_s, "image", "a", "a/1")


@given(
    st.floats(1 / 240, 1 / 24),
    st.lists(st.tuples(st.floats(0.3, 3), st.floats(0, 3)), min_size=1, max_size=40),
)
def test_every_onset_is_on_the_frame_nearest_to_its_plan_however_long_the_run(period_s, lengths):
    events, at_s = [], 0.0
    for duration_s, gap_s in lengths:
        events.append(image(at_s, duration_s))
        at_s += duration_s + gap_s
    plan = run_of(*events, duration_s=at_s)
    frames = plan_run_frames(plan, period_s)
    for number, (event, placed) in enumerate(zip(events, frames.events, strict=True)):
        assert abs(frames.onset_s(number) - event.onset_s) <= period_s / 2 + 1e-9
        assert placed.on_frames >= 1
        # rounding may take one frame from what it is, where the next begins at once
        assert -1.5 * period_s <= placed.on_frames * period_s - event.duration_s <= 0.5 * period_s + 1e-9
    assert frames.largest_shift_s <= period_s / 2 + 1e-9
    for a, b in zip(frames.events, frames.events[1:], strict=False):
        assert a.onset_frame + a.on_frames + a.off_frames == b.onset_frame
    assert onset_intervals(frames.events) == [
        a.on_frames + a.off_frames for a in frames.events[: len(events) - 1]
    ]


def test_durations_that_do_not_fit_are_told_once_for_each_length():
    plan = run_of(image(0, 0.09), image(1, 0.09), image(2, 0.5), PlannedEvent(3, 0.075, "null", "null"))
    assert plan_run_frames(plan, 1 / 60).notes == (
        "2 events: asked 90 ms, get 83.3 ms (5 frames at 60.00 Hz).",
        "1 event: asked 75 ms, get 83.3 ms (5 frames at 60.00 Hz).",
    )


def test_many_odd_lengths_are_told_in_short():
    plan = run_of(*(image(i, 0.0905 + i / 5000) for i in range(20)))
    notes = plan_run_frames(plan, 1 / 60).notes
    assert len(notes) == 7
    assert notes[-1].startswith("And 1")


def test_changes_of_the_fixation_point_lie_across_images():
    plan = run_of(image(0, 1), PlannedEvent(0.5, 1, "fixation", "fixation"), image(1, 1))
    frames = plan_run_frames(plan, 1 / 60)
    assert [(event.onset_frame, event.on_frames) for event in frames.events] == [(0, 60), (30, 60), (60, 60)]
    assert frames.events[1].off_frames == 100 * 60 - 90


@pytest.mark.parametrize(
    ("events", "message"),
    [
        (
            (image(0, 1.5), image(1, 1)),
            "event 1 .a at 0.000 s.: found an event until 1.500 s, while the next one",
        ),
        ((image(0, 0.1), image(0.004, 0.1)), "frames of its own"),
        ((image(0, 0.005),), "5 ms, which is 0.30 frames at 60.00 Hz"),
        ((image(0, 0.0235),), "For example 16.7 ms"),
    ],
)
def test_what_cannot_be_shown_is_refused(events, message):
    with pytest.raises(TimingError, match=message):
        plan_run_frames(run_of(*events), 1 / 60)


@pytest.mark.parametrize("period_s", [0.0, -1.0, math.nan, math.inf])
def test_a_period_that_is_none(period_s):
    with pytest.raises(TimingError, match="Measure the display"):
        plan_run_frames(run_of(image(0, 1)), period_s)


@pytest.mark.parametrize("duration_s", [1.005, 1.01, 12.1])
def test_an_event_that_reaches_a_little_into_the_next_one_ends_with_it(duration_s):
    begins = int(duration_s)
    frames = plan_run_frames(run_of(image(0, duration_s), image(begins, 1)), 1 / 60)
    assert (frames.events[0].on_frames, frames.events[0].off_frames) == (60 * begins, 0)
