"""The stage's parts that need no window."""

from __future__ import annotations

import subprocess
import sys

import numpy as np
import pytest

from closedloop.errors import RefreshError
from closedloop.ports import Onset, Showing, Shown, StageClosed
from closedloop.protocol.models import Corner, Display, Photodiode
from hardware.clock import VirtualClock
from hardware.stage import ShuffledStage, SimulatedStage, StageFault, refresh
from hardware.stage.geometry import image_rect, patch_rect
from hardware.stage.pacing import ClockPacer
from hardware.stage.schedule import Schedule, missed_frames
from hardware.stage.uploads import Uploads

PERIOD_S = 1 / 60
SHAPE = (4, 4, 3)


def order(trial: int, slot: int, on: int = 2, off: int = 1) -> Showing:
    return Showing(trial, slot, on, off, (0.0, 0.0), (1.0, 1.0))


def run(schedule: Schedule, ready: set[int], frames: int) -> list[int | None]:
    """What each of some frames shows, by slot."""
    shown = []
    for frame in range(frames):
        planned = schedule.plan(ready.__contains__)
        shown.append(None if planned is None else planned.slot)
        schedule.flipped(frame * PERIOD_S)
    return shown


# --- counting ----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("intervals", "missed"),
    [
        ([1, 1, 1], 0),
        ([1, 2, 1], 1),
        ([1.4, 1], 0),
        ([1.6, 1], 1),
        ([4, 1], 3),
        ([1.6, 0.4], 1),
        ([0.3, 1], 0),
        # each interval is one frame, but the image stood nearly one too long
        ([1.22] * 4, 1),
        ([1.3, 1.3, 0.4, 1], 1),
        ([1.2, 0.8] * 20, 0),
        # the period is off by a little: a long trial must not make a missed frame of that
        ([1.001] * 3000, 0),
    ],
)
def test_missed_frames_by_rounding(intervals: list[float], missed: int) -> None:
    flips_s = 5.0 + np.cumsum([0, *intervals]) * PERIOD_S
    assert missed_frames(flips_s, PERIOD_S) == missed


@pytest.mark.parametrize(("late_frames", "missed"), [(0.0, 0), (0.4, 0), (1.0, 1), (2.2, 2)])
def test_a_late_onset_counts_as_missed_since_its_stamp_may_be_what_is_late(
    late_frames: float, missed: int
) -> None:
    schedule = Schedule(PERIOD_S)
    schedule.plan(lambda _slot: True)
    schedule.flipped(0.0)
    schedule.add(Showing(1, 0, 2, 1, (0.0, 0.0), (1.0, 1.0)))
    shown = []
    for frame in range(1, 5):
        schedule.plan(lambda _slot: True)
        shown += schedule.flipped((frame + late_frames) * PERIOD_S)
    (over,) = [event for event in shown if isinstance(event, Shown)]
    assert over.missed == missed


def test_trials_are_whole_frames_without_a_gap() -> None:
    schedule = Schedule(PERIOD_S)
    for trial in range(2):
        schedule.add(order(trial, slot=trial))
    assert run(schedule, {0, 1}, 8) == [0, 0, None, 1, 1, None, None, None]
    assert schedule.idle


def test_a_trial_waits_for_its_upload_and_nothing_else_is_shown() -> None:
    schedule = Schedule(PERIOD_S)
    schedule.add(order(0, slot=0))
    schedule.add(order(1, slot=1))
    ready = {0}
    assert run(schedule, ready, 6) == [0, 0, None, None, None, None]
    ready.add(1)
    assert run(schedule, ready, 3) == [1, 1, None]


def test_the_flip_that_ends_a_trial_starts_the_next() -> None:
    schedule = Schedule(PERIOD_S)
    schedule.add(order(0, 0, on=1, off=0))
    schedule.add(order(1, 1, on=1, off=0))
    events = []
    for frame in range(3):
        schedule.plan(lambda slot: True)
        events += schedule.flipped(float(frame))
    assert [(type(e), e.trial) for e in events] == [(Onset, 0), (Shown, 0), (Onset, 1), (Shown, 1)]
    assert events[1].flips_s.tolist() == [0.0, 1.0]
    assert events[1].offset_s == events[2].time_s == 1.0


@pytest.mark.parametrize(("frames", "on_flips"), [(1, 1), (2, 2), (3, 2)])
def test_a_trial_that_is_cut_off_says_so(frames: int, on_flips: int) -> None:
    schedule = Schedule(PERIOD_S)
    schedule.add(order(0, 0, on=2, off=5))
    run(schedule, {0}, frames)
    (shown,) = schedule.cut(9.0)
    assert not shown.complete
    assert shown.on_flips == on_flips
    assert len(shown.flips_s) == frames + 1
    assert schedule.cut(10.0) == []


@pytest.mark.parametrize(("frames", "complete"), [(1, False), (2, False), (3, True)])
def test_what_runs_is_cut_with_the_next_flip_unless_it_ends_there(frames: int, complete: bool) -> None:
    schedule = Schedule(PERIOD_S)
    schedule.add(order(0, 0, on=3, off=0))
    schedule.add(order(1, 1))
    run(schedule, {0, 1}, frames)
    schedule.cut_next()
    assert schedule.plan(lambda _slot: True) is None
    (shown,) = schedule.flipped(9.0)
    assert isinstance(shown, Shown)
    assert (shown.trial, shown.complete, shown.on_flips, len(shown.flips_s)) == (
        0,
        complete,
        frames,
        frames + 1,
    )
    assert shown.offset_s == 9.0
    assert schedule.idle
    schedule.add(order(2, 0, on=1, off=0))
    schedule.cut_next()
    assert run(schedule, {0}, 2) == [None, None]


def test_a_trial_cut_off_without_a_last_flip_has_no_offset() -> None:
    schedule = Schedule(PERIOD_S)
    schedule.add(order(0, 0))
    run(schedule, {0}, 1)
    (shown,) = schedule.cut(None)
    assert np.isnan(shown.offset_s)


# --- uploads -----------------------------------------------------------------------------------------


def test_uploads_wait_while_an_image_is_on_and_background_is_ahead() -> None:
    schedule, uploads = Schedule(PERIOD_S), Uploads()
    schedule.add(order(0, 0, on=2, off=1))
    schedule.add(order(1, 1))
    run(schedule, {0}, 1)
    uploads.add(1, buffer=5)
    assert uploads.next(schedule) is None
    run(schedule, {0}, 2)
    assert uploads.next(schedule) == 1
    assert uploads.take(1) == 5
    assert uploads.ready(1)


def test_without_background_the_needed_image_is_uploaded_beside_the_one_on_the_screen() -> None:
    schedule, uploads = Schedule(PERIOD_S), Uploads()
    schedule.add(order(0, 0, on=2, off=0))
    schedule.add(order(1, 1))
    run(schedule, {0}, 1)
    uploads.add(2, buffer=4)
    uploads.add(1, buffer=5)
    assert uploads.next(schedule) == 1
    uploads.take(1)
    assert uploads.next(schedule) is None  # nobody waits for the other


def test_the_texture_on_the_screen_is_never_written_to() -> None:
    schedule, uploads = Schedule(PERIOD_S), Uploads()
    schedule.add(order(0, 0, on=2, off=0))
    run(schedule, {0}, 1)
    schedule.clear()
    schedule.add(order(1, 0))
    uploads.add(0, buffer=5)
    assert uploads.next(schedule) is None
    run(schedule, set(), 2)
    assert uploads.next(schedule) == 0


def test_a_newer_image_for_a_slot_takes_the_place_of_one_that_waits() -> None:
    uploads = Uploads()
    assert uploads.add(3, buffer=0) is None
    assert uploads.add(3, buffer=1) == 0
    assert uploads.take(3) == 1


# --- refresh and pacing ------------------------------------------------------------------------------


def intervals(hz: float, jitter_s: float = 0.0001, n: int = 150) -> np.ndarray:
    return np.random.default_rng(1).normal(1 / hz, jitter_s, n)


def test_refresh_is_measured_in_spite_of_missed_frames() -> None:
    dt_s = intervals(59.94)
    dt_s[[20, 90]] *= 2
    measured = refresh.measure(dt_s)
    assert 1 / measured.period_s == pytest.approx(59.94, rel=0.002)
    assert measured.outliers == 2
    assert measured.jitter_s == pytest.approx(0.0001, rel=0.2)


def test_uneven_frames_are_no_refresh() -> None:
    with pytest.raises(RefreshError, match="uneven"):
        refresh.measure(np.tile([0.010, 0.023], 80))
    with pytest.raises(RefreshError, match="only 50"):
        refresh.measure(intervals(60, n=50))


@pytest.mark.parametrize(("hz", "refused"), [(60.5, False), (59.0, False), (75.0, True), (58.0, True)])
def test_another_refresh_than_the_protocol_s_is_refused(hz: float, refused: bool) -> None:
    measured = refresh.measure(intervals(hz))
    if not refused:
        refresh.require(measured, 60.0, 0.02)
        return
    with pytest.raises(RefreshError, match=r"expected 60 Hz within 2\.0%"):
        refresh.require(measured, 60.0, 0.02)


def test_own_pace_forgives_a_missed_frame_and_not_slow_drawing() -> None:
    dt_s = intervals(60.0)
    dt_s[[20, 90, 100]] *= 2
    refresh.require_pace(dt_s, 1 / 60)
    with pytest.raises(RefreshError, match="too slow"):
        refresh.require_pace(intervals(49.5), 1 / 60)


def test_a_pause_tells_blocking_flips_from_others() -> None:
    assert refresh.flips_block(intervals(60), intervals(60))
    assert not refresh.flips_block(intervals(1000, 0.00001), intervals(1000, 0.00001) + 0.0005)


def test_clock_pacer_stays_on_its_grid_and_never_bursts() -> None:
    clock = VirtualClock(0.0)
    pacer = ClockPacer(clock, 1.0)
    assert pacer.next_flip_s == 1.0
    flips_s, targets_s = [1.0, 2.1, 3.4, 4.0, 6.6, 8.0, 12.3], []
    for flip_s in flips_s:
        pacer.flipped(flip_s)
        targets_s.append(pacer.next_flip_s)
    assert targets_s == [2.0, 3.0, 4.0, 5.0, 8.0, 9.0, 13.0]


# --- geometry ----------------------------------------------------------------------------------------


@pytest.mark.parametrize("position", [(0.0, 0.0), (1.234, -2.345), (-0.01, 7.77)])
@pytest.mark.parametrize("size", [(1.0, 1.0), (2.03, 3.07)])
def test_images_lie_on_whole_pixels(position: tuple[float, float], size: tuple[float, float]) -> None:
    window, per_deg = (1024, 768), 25.47
    place = image_rect(window, per_deg, position, size)
    for axis in range(2):
        low = window[axis] / 2 + place.center[axis] - place.size[axis] / 2
        assert low == int(low)
        assert abs(place.center[axis] - position[axis] * per_deg) <= 1
        assert abs(place.size[axis] - size[axis] * per_deg) <= 0.5


def test_patch_sits_in_its_corner() -> None:
    display = Display(size_px=(800, 600), photodiode=Photodiode(corner=Corner.TOP_RIGHT, size_px=50))
    assert patch_rect(display).center == (375, 275)


# --- simulator and control ---------------------------------------------------------------------------


def simulated_session(**options: float) -> tuple[list[object], list[tuple[int, int, float, float]]]:
    clock = VirtualClock()
    calls: list[tuple[int, int, float, float]] = []
    stage = SimulatedStage(
        clock,
        Display(),
        SHAPE,
        4,
        lambda t, im, on, off: calls.append((t, int(im[0, 0, 0]), on, off)),
        **options,
    )
    stage.open()
    events: list[object] = []
    for trial in range(40):
        stage.load(trial % 4, np.full(SHAPE, trial, np.uint8))
        stage.show(order(trial, trial % 4, on=6, off=6))
        clock.sleep(0.3)
        events += stage.poll()
    stage.close()
    return events, calls


def test_simulated_stage_tells_what_it_shows_and_when() -> None:
    events, calls = simulated_session()
    shown = [e for e in events if isinstance(e, Shown)]
    assert [(trial, level) for trial, level, _, _ in calls] == [(n, n) for n in range(40)]
    assert [(on, off) for _, _, on, off in calls] == [(s.onset_s, s.offset_s) for s in shown]
    assert all(s.missed == 0 for s in shown)
    for s in shown:  # an exact grid, all from the same origin
        places = (s.flips_s - 1000.0) * 60
        assert np.abs(places - np.rint(places)).max() < 1e-6


def test_simulated_missed_frames_are_reported_and_repeatable() -> None:
    first, calls = simulated_session(missed_frames=0.05, seed=3)
    again, _ = simulated_session(missed_frames=0.05, seed=3)
    missed = [e.missed for e in first if isinstance(e, Shown)]
    assert missed == [e.missed for e in again if isinstance(e, Shown)]
    assert 10 <= sum(missed) <= 40  # 24 expected of 480 frames
    shown = [e for e in first if isinstance(e, Shown)]
    assert [off for *_, off in calls] == [s.offset_s for s in shown]


@pytest.mark.parametrize(
    ("fault", "by_hand", "ends"),
    [
        (StageFault.CLOSED_BY_HAND, True, [Onset, Shown, StageClosed]),
        (StageFault.DIED, False, [Onset, StageClosed]),
    ],
)
def test_simulated_faults(fault: StageFault, by_hand: bool, ends: list[type]) -> None:
    clock = VirtualClock()
    stage = SimulatedStage(clock, Display(), SHAPE, 4)
    stage.open()
    stage.load(0, np.zeros(SHAPE, np.uint8))
    stage.show(order(1, 0, on=60))
    stage.fail(fault, after_s=0.5)
    clock.sleep(3.0)
    events = stage.poll()
    assert [type(e) for e in events] == ends
    assert isinstance(events[-1], StageClosed)
    assert events[-1].by_hand is by_hand
    assert events[-1].time_s == pytest.approx(1000.5)
    assert list(stage.poll()) == []


def test_shuffled_stage_shows_another_image_than_the_one_given() -> None:
    clock = VirtualClock()
    shown: dict[int, int] = {}
    inner = SimulatedStage(
        clock, Display(), SHAPE, 4, lambda t, im, on, off: shown.update({t: int(im[0, 0, 0])})
    )
    stage = ShuffledStage(inner, seed=1)
    assert "shuffled" in stage.open().details["control"]
    for trial in range(100):
        stage.load(trial % 4, np.full(SHAPE, trial, np.uint8))
        stage.show(order(trial, trial % 4))
        clock.sleep(0.2)
        stage.poll()
    assert shown[0] == 0  # there was no other
    assert all(shown[trial] != trial for trial in range(1, 100))
    stage.close()


def test_the_engine_gets_no_window_library_with_the_stage() -> None:
    code = "import sys, hardware.stage; print(sorted({'psychopy', 'pyglet', 'torch'} & set(sys.modules)))"
    ran = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert ran.stdout.strip() == "[]"
