"""A sequence's first number that comes second says at once that the sequence begins there."""

from __future__ import annotations

from collections.abc import Sequence

import pytest
from pulse_run import ZERO_S, PulseRun, run, scanner

from closedloop.scan.findings import PulseFinding

TRIGGER = {"path": "lsl", "stream": {"name": "scanner"}, "numbered_from": 1}


def after(stray: str, gap_s: float, *, dummies: int = 0) -> PulseRun:
    """A stray marker, and so long after it a whole sequence, numbered from 1."""
    volumes = 20 + dummies
    times_s = [0.0, *(gap_s + 2.0 * volume for volume in range(volumes))]
    marks = [stray, *(f"volume {volume + 1}" for volume in range(volumes))]
    return run(scanner(trigger=TRIGGER, dummies=dummies), times_s, marks=marks)


def shifted(findings: Sequence[PulseFinding]) -> PulseFinding:
    (found,) = (finding for finding in findings if "start_shift_s" in finding.detail)
    return found


@pytest.mark.parametrize("gap_s", [0.05, 0.9, 2.0, 2.7])
@pytest.mark.parametrize("stray", ["volume 300", "volume 21", "hello"])
def test_a_first_pulse_in_doubt_gives_way_to_the_one_with_the_first_number(stray: str, gap_s: float) -> None:
    done = after(stray, gap_s)
    assert done.volumes() == [0, *range(20)]
    assert done.kinds() == ["extra"]
    found = shifted(done.findings)
    assert (found.pulse, found.time_s) == (1, ZERO_S + gap_s)
    assert found.detail["start_shift_s"] == pytest.approx(gap_s)
    assert done.ledger.summary()["pulses_short_at_end"] == 0


def test_with_dummies_the_start_is_right() -> None:
    assert after("volume 300", 2.0, dummies=2).ledger.start_s() == pytest.approx(ZERO_S + 6.0)


def test_a_number_of_the_sequence_that_was_none_is_taken_back() -> None:
    done = after("run 7", 2.7)
    assert done.volumes() == [6, *range(20)]
    assert [found.count for found in done.findings if found.kind == "first_missed"] == [6, 0]
    assert done.ledger.summary()["first_missed"] is None
    assert shifted(done.findings).detail["start_shift_s"] == pytest.approx(12.0 + 2.7)


@pytest.mark.parametrize("numbers", [range(20), [0, *range(2, 20)]])
def test_a_gateway_that_counts_from_a_lower_number_goes_on_counting(numbers: Sequence[int]) -> None:
    marks = [f"volume {number}" for number in numbers]
    done = run(scanner(trigger=TRIGGER), [2.0 * number for number in numbers], marks=marks)
    assert done.volumes() == list(numbers)
    assert "extra" not in done.kinds()


def test_a_lower_number_that_stands_in_no_place_of_that_count_is_a_stray() -> None:
    assert after("volume 0", 0.9).volumes() == [0, *range(20)]


def test_with_the_second_pulse_lost_a_lower_count_goes_on_two_places_later() -> None:
    trigger = {**TRIGGER, "numbered_from": 2}
    numbers = [0, *range(2, 20)]
    marks = [f"volume {number}" for number in numbers]
    done = run(scanner(trigger=trigger), [2.0 * number for number in numbers], marks=marks)
    assert done.volumes() == numbers


@pytest.mark.parametrize("stray", ["volume 1", "volume 300"])
def test_a_first_number_that_is_doubled_begins_nothing(stray: str) -> None:
    times_s = [0.0, 2.0, 2.02, *(2.0 * volume for volume in range(2, 21))]
    marks = [stray, "volume 1", "volume 1", *(f"volume {volume}" for volume in range(2, 21))]
    if stray == "volume 1":
        times_s, marks = times_s[1:], marks[1:]
    done = run(scanner(trigger=TRIGGER), times_s, marks=marks)
    assert done.verdicts().count("doubled") == 1
    assert done.volumes()[-20:] == [None, *range(1, 20)]
