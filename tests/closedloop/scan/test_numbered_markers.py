"""A first pulse whose marker has a number that can't be the sequence's is not passed over in silence."""

from __future__ import annotations

import pytest
from pulse_run import ZERO_S, PulseRun, run, scanner

TRIGGER = {"path": "lsl", "stream": {"name": "scanner"}, "numbered_from": 1}


def numbered(first: int, times_s: list[float] | None = None) -> PulseRun:
    times_s = times_s or [2.0 * volume for volume in range(20)]
    return run(scanner(trigger=TRIGGER), times_s, marks=[f"volume {first + n}" for n in range(len(times_s))])


def test_a_gateway_that_counts_on_from_an_earlier_sequence_is_told_with_the_first_pulse() -> None:
    done = numbered(21)
    assert "'volume 21' is not from 1 to 20" in done.findings[0].words
    assert "counts on from an earlier sequence" in done.findings[0].words
    assert done.kinds() == []
    assert done.ledger.start_s() == ZERO_S


@pytest.mark.parametrize(
    ("mark", "found"), [("volume 0", "is not from 1 to 20"), ("volume", "has no number")]
)
def test_so_is_a_number_below_the_first_and_none_at_all(mark: str, found: str) -> None:
    done = run(scanner(trigger=TRIGGER), [2.0 * volume for volume in range(20)], marks=[mark] * 20)
    assert f"'{mark}' {found}" in done.findings[0].words
    assert "earlier sequence" not in done.findings[0].words


@pytest.mark.parametrize("first", [1, 3, 20])
def test_a_number_of_the_sequence_is_in_no_doubt(first: int) -> None:
    assert "marker" not in numbered(first).findings[0].words


def test_a_missed_first_pulse_is_then_recognised_by_the_count() -> None:
    times_s = [2.0 * volume for volume in range(1, 20)]
    assert numbered(42, times_s).only("first_missed").detail["by"] == "count"


def test_a_marker_without_a_number_may_turn_out_not_to_be_the_scanners() -> None:
    times_s = [0.0, *(7.3 + 2.0 * volume for volume in range(20))]
    marks = ["hello", *(f"volume {volume + 1}" for volume in range(20))]
    done = run(scanner(trigger=TRIGGER), times_s, marks=marks)
    assert done.only("extra").detail["first_volume_s"] == pytest.approx(ZERO_S + 7.3)
