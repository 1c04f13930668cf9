"""While few pulses have come: what may take a place early, and what is said of a start that is not known yet."""

from __future__ import annotations

import numpy as np
import pytest
from pulse_run import ZERO_S, run, scanner


def even(pulses: int, tr_s: float = 2.0) -> list[float]:
    return [tr_s * number for number in range(pulses)]


@pytest.mark.parametrize("early_s", [0.05, 0.15, 0.3, 0.39])
@pytest.mark.parametrize("tr_s", [2.0, 8.0])
def test_a_press_before_the_first_stored_volume_does_not_take_its_place(early_s: float, tr_s: float) -> None:
    done = run(scanner(tr_s, dummies=2), sorted([*even(22, tr_s), 2 * tr_s - early_s]))
    assert done.kinds() == ["human"]
    assert done.verdicts()[2:4] == ["human", "volume"]
    assert done.ledger.start_s() == ZERO_S + 2 * tr_s


@pytest.mark.parametrize("error", [-0.0085, -0.015, -0.025, -0.04, -0.1])
def test_a_shorter_tr_is_no_reason_to_call_pulses_early(error: float) -> None:
    times_s = even(12, 2 * (1 + error))
    done = run(scanner(volumes=12), times_s, end_s=30)
    assert done.kinds() == ["tr_off"]
    assert done.volumes() == list(range(12))


@pytest.mark.parametrize("late", [0, 1, 2])
def test_a_stamp_that_is_late_does_not_make_the_next_ones_early(late: int) -> None:
    times_s = even(20)
    times_s[late] += 0.35
    assert run(scanner(), times_s).kinds() == []


def test_jitter_alone_never_makes_a_pulse_early() -> None:
    rng = np.random.default_rng(3)
    for _ in range(200):
        times_s = np.array(even(6)) + 0.005 * rng.normal(size=6)
        assert run(scanner(volumes=6), times_s.tolist()).kinds() == []


def test_a_last_pulse_that_comes_in_late_takes_back_that_one_was_missed() -> None:
    done = run(scanner(), even(20), delays_s={19: 1.2})
    told = [(finding.kind, finding.count) for finding in done.findings[1:]]
    assert told == [("missed", 1), ("first_missed", 1), ("missed", 0), ("first_missed", 0)]
    assert done.ledger.summary()["first_missed"] is None


def test_a_last_pulse_after_two_lost_ones_takes_back_that_three_were_missed() -> None:
    done = run(scanner(), [*even(17), 38.0])
    assert [found.count for found in done.findings if found.kind == "first_missed"] == [3, 0]
    summary = done.ledger.summary()
    assert (summary["first_missed"], summary["pulses_short_at_end"]) == (None, 0)


def test_a_sequence_that_is_still_short_after_all_says_by_how_much() -> None:
    done = run(scanner(), even(19), delays_s={18: 3.5})
    assert [found.count for found in done.findings if found.kind == "first_missed"] == [2, 0, 1]
    assert done.ledger.summary()["first_missed"]["pulses_short"] == 1


def test_numbers_in_the_marks_are_not_taken_back() -> None:
    trigger = {"path": "lsl", "stream": {"name": "scanner"}, "numbered_from": 1}
    marks = [f"volume {volume + 1}" for volume in range(1, 20)]
    done = run(scanner(trigger=trigger), even(20)[1:], marks=marks, delays_s={18: 1.2})
    assert done.ledger.summary()["first_missed"]["by"] == "number"


@pytest.mark.parametrize(("dummies", "right"), [(0, False), (4, True)])
def test_a_stray_first_pulse_is_told_with_what_it_means_for_the_start(dummies: int, right: bool) -> None:
    done = run(scanner(dummies=dummies), [-0.55, *even(20 + dummies)])
    words = next(found.words for found in done.findings if "start_shift_s" in found.detail)
    assert ("its start will be the right one" in words) == right
    assert ("still count from the start that was believed" in words) == (not right)
    assert (done.ledger.start_s() == ZERO_S + 2.0 * dummies) == right


@pytest.mark.parametrize("place", [0, 3, 5, 17])
@pytest.mark.parametrize("late_s", [0.03, 0.05, 0.07])
@pytest.mark.parametrize("acquisition_s", [1.0, None])
def test_a_slice_that_is_late_by_a_third_of_their_interval_is_its_own(
    place: int, late_s: float, acquisition_s: float | None
) -> None:
    section = scanner(pulse_per="slice", slices=5, acquisition_s=acquisition_s, debounce_ms=50)
    step_s = (acquisition_s or 2.0) / 5
    times_s = [2.0 * volume + step_s * part for volume in range(20) for part in range(5)]
    times_s[place] += late_s
    done = run(section, times_s)
    assert done.kinds() == []
    assert done.volumes() == [place // 5 if place % 5 == 0 else None for place in range(100)]
