"""What holds for every stage, the real one and the simulated one."""

from __future__ import annotations

import itertools
from typing import Any

import numpy as np
import pytest

from closedloop.errors import StageError
from closedloop.ports import KeyPress, Onset, Showing, Shown, StageClosed

# the tests' own helpers, beside this file
SHAPE = (48, 64, 3)


def picture(seed: int) -> Any:
    return np.random.default_rng(seed).integers(0, 256, SHAPE, dtype=np.uint8)


def test_report_agrees_with_the_protocol(bench: Any) -> None:
    report = bench.report
    assert report.size_px == (640, 480)
    assert report.refresh_hz == pytest.approx(60.0, rel=0.02)
    assert report.period_s == pytest.approx(1 / report.refresh_hz)
    assert report.paced_by in ("vblank", "clock")
    # 40 cm wide, seen from 57 cm: PsychoPy's own degree is 0.01 % off the tangent
    assert report.pixels_per_deg == pytest.approx(640 / 40 * 57 * np.tan(np.radians(1)), rel=1e-3)


@pytest.mark.parametrize(("on", "off"), [(1, 0), (1, 1), (3, 5), (6, 0)])
def test_a_trial_has_the_flips_that_were_ordered(bench: Any, on: int, off: int) -> None:
    bench.stage.load(0, picture(0))
    before_s = bench.clock.now()
    trial = bench.show(0, on, off)
    shown = bench.until_shown(trial)
    onset = bench.until_on(trial)
    assert len(shown.flips_s) == on + off + 1
    assert shown.on_flips == on
    assert shown.complete
    assert shown.onset_s == onset.time_s > before_s
    assert shown.offset_s == shown.flips_s[on]
    frames = np.rint(np.diff(shown.flips_s) / bench.report.period_s)
    # the interval before the onset counts, too, and lateness that adds up: test_stage_parts.py has the rule
    assert shown.missed >= np.maximum(frames - 1, 0).sum()
    assert shown.flips_s[-1] <= bench.clock.now()


def test_onset_comes_before_its_shown_and_trials_come_in_order(bench: Any) -> None:
    for slot in range(4):
        bench.stage.load(slot, picture(slot))
    trials = [bench.show(slot, 2, 1) for slot in range(4)]
    bench.until_shown(trials[-1])
    mine = [e for e in bench.seen if isinstance(e, (Onset, Shown)) and e.trial in trials]
    kinds = [(type(e), e.trial) for e in mine]
    expected = [(Onset, trials[0])]
    for this, following in itertools.pairwise(trials):
        expected += [(Shown, this), (Onset, following)]
    assert kinds == [*expected, (Shown, trials[-1])]


@pytest.mark.parametrize("off", [0, 2])
def test_queued_trials_follow_without_a_gap(bench: Any, off: int) -> None:
    for slot in range(6):
        bench.stage.load(slot, picture(slot))
    bench.wait(0.2)  # all are uploaded
    trials = [bench.show(slot, 2, off) for slot in range(6)]
    shown = [bench.until_shown(trial) for trial in trials]
    for this, following in itertools.pairwise(shown):
        assert following.onset_s == this.flips_s[-1]  # one and the same flip


def test_images_loaded_at_the_last_moment_are_shown_all_the_same(bench: Any) -> None:
    bench.stage.load(0, picture(0))
    trials = [bench.show(0, 2, 0)]
    for slot in range(1, 6):  # with no background between, and no time ahead
        bench.stage.load(slot, picture(slot))
        trials.append(bench.show(slot, 2, 0))
    shown = [bench.until_shown(trial) for trial in trials]
    assert [len(s.flips_s) for s in shown] == [3] * 6
    onsets = [s.onset_s for s in shown]
    assert onsets == sorted(onsets)


def test_a_slot_is_used_again_after_its_trial(bench: Any) -> None:
    for n in range(3):
        bench.stage.load(7, picture(n))
        assert bench.until_shown(bench.show(7)).complete


def test_clear_drops_what_waits_and_lets_the_running_trial_end(bench: Any) -> None:
    for slot in range(3):
        bench.stage.load(slot, picture(slot))
    trials = [bench.show(slot, 12, 2) for slot in range(3)]
    bench.until_on(trials[0])
    bench.stage.clear()
    assert bench.until_shown(trials[0]).complete
    bench.wait(0.3)
    later = [e for e in bench.seen if isinstance(e, (Onset, Shown)) and e.trial in trials[1:]]
    assert later == []


def test_cut_takes_the_running_trial_off_at_once_and_what_waits_with_it(bench: Any) -> None:
    for slot in range(3):
        bench.stage.load(slot, picture(slot))
    trials = [bench.show(slot, 600, 0) for slot in range(3)]
    onset_s = bench.until_on(trials[0]).time_s
    bench.wait(0.2)
    cut_s = bench.clock.now()
    bench.stage.cut()
    shown = bench.until_shown(trials[0])
    assert not shown.complete
    assert shown.onset_s == onset_s
    assert len(shown.flips_s) == shown.on_flips + 1 < 300
    assert cut_s < shown.offset_s < cut_s + 1
    bench.stage.load(0, picture(10))  # its slot is free
    following = bench.show(0, 2, 1)
    assert bench.until_shown(following).complete
    later = [e for e in bench.seen if isinstance(e, (Onset, Shown)) and e.trial in trials[1:]]
    assert later == []
    bench.stage.cut()  # nothing is on: nothing happens
    bench.wait(0.1)
    assert [e.trial for e in bench.seen if isinstance(e, Shown)][-2:] == [trials[0], following]


def test_after_clear_slots_are_free_at_once(bench: Any) -> None:
    for slot in range(3):
        bench.stage.load(slot, picture(slot))
    dropped = [bench.show(slot, 12, 2) for slot in range(3)]
    bench.until_on(dropped[0])
    bench.stage.clear()
    bench.stage.load(0, picture(10))  # its former image is still on the screen
    bench.stage.load(1, picture(11))
    trials = [bench.show(slot, 2, 1) for slot in (1, 0)]
    for trial in trials:
        assert bench.until_shown(trial).complete


def test_more_loads_than_can_wait_are_not_lost(bench: Any) -> None:
    for n in range(50):
        bench.stage.load(0, picture(n))
        bench.stage.load(1, picture(n))
    trials = [bench.show(0, 1, 1), bench.show(1, 1, 1)]
    for trial in trials:
        assert bench.until_shown(trial).complete


def test_orders_that_make_no_sense_are_refused(bench: Any) -> None:
    bench.stage.load(0, picture(0))
    with pytest.raises(StageError, match="slot 6, which is empty"):
        bench.stage.show(Showing(10_000, 6, 1, 1, (0, 0), (1, 1)))
    with pytest.raises(StageError, match="0 frames on"):
        bench.stage.show(Showing(10_000, 0, 0, 1, (0, 0), (1, 1)))
    with pytest.raises(StageError, match="expected 0 to 7"):
        bench.stage.load(8, picture(0))
    with pytest.raises(StageError, match=r"uint8 of shape \(2, 2, 3\)"):
        bench.stage.load(0, np.zeros((2, 2, 3), np.uint8))
    trial = bench.show(0)
    with pytest.raises(StageError, match=f"trial {trial} waits"):
        bench.stage.load(0, picture(1))
    bench.until_shown(trial)


def test_nobody_pressed_a_key(bench: Any) -> None:
    bench.wait(0.1)
    assert not [e for e in bench.seen if isinstance(e, KeyPress)]


def test_closing_cuts_the_running_trial_off(own_bench: Any) -> None:
    own_bench.stage.load(0, picture(0))
    trial = own_bench.show(0, 600, 0)
    own_bench.until_on(trial)
    own_bench.stage.close()
    own_bench.seen += own_bench.stage.poll()
    shown = next(e for e in own_bench.seen if isinstance(e, Shown))
    assert shown.trial == trial
    assert not shown.complete
    assert len(shown.flips_s) == shown.on_flips + 1 < 600
    assert shown.onset_s < shown.offset_s <= own_bench.clock.now() + own_bench.report.period_s * 2
    assert not [e for e in own_bench.seen if isinstance(e, StageClosed)]  # it was told to
    own_bench.stage.close()
    assert list(own_bench.stage.poll()) == []
