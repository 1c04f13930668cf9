"""Trials and fixation changes that are due at a time, and words to the subject: on every stage."""

from __future__ import annotations

import itertools
import math
from typing import Any

import numpy as np
import pytest

from closedloop.errors import StageError
from closedloop.ports import FixationChange, FixationChanged, Showing
from hardware.stage.fixations import FixationSchedule
from hardware.stage.schedule import Schedule
from hardware.stage.words import draw_words

SHAPE = (48, 64, 3)
PERIOD_S = 1 / 60
RED = (1.0, -1.0, -1.0)


def picture(seed: int) -> Any:
    return np.random.default_rng(seed).integers(0, 256, SHAPE, dtype=np.uint8)


def in_frames(bench: Any, onset_s: float, due_s: float) -> float:
    return float((onset_s - due_s) / bench.report.period_s)


def test_trials_come_on_at_their_times_and_the_background_stands_between(bench: Any) -> None:
    start_s = bench.clock.now() + 0.3
    dues_s = [start_s + wait_s for wait_s in (0.0, 0.1101, 0.213, 0.4007)]
    for slot, due_s in enumerate(dues_s):
        bench.stage.load(slot, picture(slot))
        bench.show(slot, on=2, off=0, due_s=due_s)
    last = bench.until_shown(bench.trial)
    assert last.complete
    for trial, due_s in zip(range(bench.trial - 3, bench.trial + 1), dues_s, strict=True):
        shown = bench.until_shown(trial)
        # a busy machine may show it late, but nothing may show it early
        assert in_frames(bench, shown.onset_s, due_s) > -0.6
        assert in_frames(bench, shown.onset_s, due_s) < 20
        assert len(shown.flips_s) == 3


def test_a_trial_that_is_past_comes_with_the_next_flip_and_the_order_is_kept(bench: Any) -> None:
    for slot in range(3):
        bench.stage.load(slot, picture(slot))
    bench.wait(0.1)
    now_s = bench.clock.now()
    late = bench.show(0, 1, 0, due_s=now_s - 5.0)
    waiting = bench.show(1, 1, 0, due_s=now_s + 0.3)
    behind = bench.show(2, 1, 0, due_s=now_s - 9.0)  # keeps its place in the queue
    onsets_s = [bench.until_on(trial).time_s for trial in (late, waiting, behind)]
    assert onsets_s[0] < now_s + 0.25
    assert onsets_s[1] > now_s + 0.29
    assert onsets_s[2] > onsets_s[1]


def test_clear_drops_what_is_due_later(bench: Any) -> None:
    bench.stage.load(0, picture(0))
    bench.wait(0.1)  # what came before is over
    now_s = bench.clock.now()
    bench.show(0, 1, 0, due_s=now_s + 0.2)
    bench.stage.fixate(FixationChange(90, now_s + 0.2, 2, RED))
    before = len(bench.seen)
    bench.stage.clear()
    bench.wait(0.4)
    assert bench.seen[before:] == []


def test_the_fixation_point_changes_at_its_time_and_says_so(bench: Any) -> None:
    now_s = bench.clock.now()
    bench.stage.load(0, picture(0))
    trial = bench.show(0, 30, 0, due_s=now_s + 0.1)
    for number, due_s in ((1, now_s + 0.2), (2, now_s + 0.35)):
        bench.stage.fixate(FixationChange(number, due_s, 3, (0.0, 1.0, -1.0)))
    shown = bench.until_shown(trial)
    changes = {e.number: e.time_s for e in bench.seen if isinstance(e, FixationChanged) and e.number < 3}
    assert sorted(changes) == [1, 2]
    assert in_frames(bench, changes[1], now_s + 0.2) > -0.6
    assert changes[1] in shown.flips_s  # the very stamp of the trial's flip


def test_words_are_taken_and_trials_go_on(bench: Any) -> None:
    bench.stage.message("The scan starts soon.\nPlease lie still. äöü")
    bench.wait(0.3)
    bench.stage.load(0, picture(0))
    assert bench.until_shown(bench.show(0)).complete
    bench.stage.message("Other words")
    bench.stage.message(None)
    assert bench.until_shown(bench.show(0)).complete


def test_a_change_without_frames_is_refused(bench: Any) -> None:
    with pytest.raises(StageError, match="at least 1"):
        bench.stage.fixate(FixationChange(0, 0.0, 0, RED))


@pytest.mark.display
def test_words_stand_on_the_screen_only_without_a_trial(real: Any, screen: Any) -> None:
    from Xlib import X, display

    root = display.Display(screen.name).screen().root

    def letters() -> int:
        grab = root.get_image(120, 160, 400, 160, X.ZPixmap, 0xFFFFFF)
        return int((np.frombuffer(grab.data, np.uint8).reshape(160, 400, 4)[..., :3].min(axis=2) > 240).sum())

    real.stage.load(0, np.full(SHAPE, 128, np.uint8))
    assert letters() == 0
    real.stage.message("Please lie still.")
    real.until(lambda: letters() > 200)
    trial = real.show(0, on=60, off=0, size=20.0)
    real.until_on(trial)
    real.until(lambda: letters() == 0, timeout_s=0.9)
    real.stage.message(None)
    real.until_shown(trial)
    real.wait(0.1)
    assert letters() == 0


def test_trials_that_follow_at_once_by_their_times_have_no_gap_and_fall_behind_never(bench: Any) -> None:
    period_s = bench.report.period_s
    step_s = 4.37 * period_s  # 4 frames, and a fifth in about every third
    start_s = bench.clock.now() + 0.3
    trials = []
    for n in range(8):
        bench.stage.load(n, picture(n))
        trials.append(bench.show(n, on=4, off=0, due_s=start_s + n * step_s))
    shown = [bench.until_shown(trial) for trial in trials]
    for this, following in itertools.pairwise(shown):
        assert following.onset_s == this.flips_s[-1]
        assert this.on_flips == len(this.flips_s) - 1
    if all(one.missed == 0 for one in shown):  # on a busy machine there may be some
        assert {one.on_flips for one in shown[:-1]} == {4, 5}
        assert shown[-1].onset_s - start_s - 7 * step_s < 1.5 * period_s


def test_a_trial_that_came_late_takes_no_time_from_the_next(bench: Any) -> None:
    period_s = bench.report.period_s
    for slot in range(2):
        bench.stage.load(slot, picture(slot))
    bench.wait(0.1)
    now_s = bench.clock.now()
    late = bench.show(0, on=60, off=0, due_s=now_s - 20 * period_s)
    following = bench.show(1, on=4, off=0, due_s=now_s + 40 * period_s)
    cut_short, on_time = bench.until_shown(late), bench.until_shown(following)
    assert cut_short.flips_s[-1] == on_time.onset_s
    assert cut_short.complete
    assert -0.6 < in_frames(bench, on_time.onset_s, now_s + 40 * period_s) < 20  # a busy machine may be late
    assert cut_short.on_flips < 60


# --- parts -------------------------------------------------------------------------------------------


@pytest.mark.parametrize("due_frames", [3.0, 3.4, 3.6, 4.49, -2.0])
def test_a_schedule_takes_the_flip_that_is_nearest(due_frames: float) -> None:
    schedule = Schedule(PERIOD_S)
    schedule.add(Showing(0, 0, 1, 0, (0, 0), (1, 1), due_frames * PERIOD_S))
    assert schedule.next_due_s == due_frames * PERIOD_S
    for frame in range(10):
        if schedule.plan(lambda slot: True, frame * PERIOD_S) is not None:
            assert frame == max(0, math.floor(due_frames + 0.5))
            return
        schedule.flipped(frame * PERIOD_S)
    raise AssertionError("it never came on")


def test_changes_have_their_frames_and_follow_each_other() -> None:
    fixations = FixationSchedule(1.0)
    fixations.add(FixationChange(0, 2.0, 3, (1, 0, 0)))
    fixations.add(FixationChange(1, 3.0, 1, (0, 1, 0)))
    seen, events = [], []
    for frame in range(8):
        seen.append(fixations.plan(float(frame)))
        events += fixations.flipped(float(frame))
    assert seen == [None, None, *[(1, 0, 0)] * 3, (0, 1, 0), None, None]
    assert events == [FixationChanged(0, 2.0), FixationChanged(1, 5.0)]


@pytest.mark.parametrize("text", ["Hi", "word " * 120, "Bitte still liegen. Größe"])
def test_words_fit_the_window(text: str) -> None:
    drawn = draw_words(text, (800, 600), background=-1.0)
    levels = np.asarray(drawn)
    assert drawn.size[0] <= 800
    assert drawn.size[1] <= 600
    assert levels.max() == 255
    assert levels[0].max() == 0
