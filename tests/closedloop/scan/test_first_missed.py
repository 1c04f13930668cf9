from __future__ import annotations

import pytest
from pulse_run import ZERO_S, run, scanner


def test_a_dropped_first_pulse_is_recognised_by_the_count_with_both_readings() -> None:
    done = run(scanner(), [2.0 * volume for volume in range(1, 20)])
    found = done.only("first_missed")
    assert not found.detail["sure"]
    began, ended = found.detail["readings"]
    assert (began["offset_tr"], began["offset_s"]) == (1, 2.0)
    assert began["start_s"] == pytest.approx(ZERO_S)
    assert ended["start_s"] == ZERO_S + 2.0
    assert done.ledger.start_s() == ZERO_S + 2.0  # nothing is rewritten
    assert done.ledger.summary()["first_missed"] == found.detail


def test_it_is_known_before_the_run_is_over() -> None:
    found = run(scanner(), [2.0 * volume for volume in range(1, 20)]).only("first_missed")
    assert found.time_s - ZERO_S < 38 + 1.5 * 2


def test_it_is_recognised_though_another_pulse_was_lost_on_the_way() -> None:
    done = run(scanner(), [2.0 * volume for volume in range(1, 20) if volume != 9])
    assert done.only("first_missed").detail["readings"][0]["offset_tr"] == 1


def test_a_lost_last_pulse_looks_just_the_same_and_it_is_said_so() -> None:
    first = run(scanner(), [2.0 * volume for volume in range(1, 20)]).only("first_missed")
    last = run(scanner(), [2.0 * volume for volume in range(19)]).only("first_missed")
    assert first.words == last.words
    assert "Pulses cannot tell" in first.words


def test_how_long_was_listened_before_is_said() -> None:
    times_s = [2.0 * volume for volume in range(1, 20)]
    early = run(scanner(), times_s, armed_s=-60).only("first_missed")
    late = run(scanner(), times_s, armed_s=1.5).only("first_missed")
    assert early.detail["listening_when_due"]
    assert "only the line can have lost one" in early.words
    assert not late.detail["listening_when_due"]
    assert "armed so late" in late.words


def test_a_trigger_armed_within_a_tr_of_the_first_pulse_is_told_at_once() -> None:
    done = run(scanner(), [2.0 * volume for volume in range(20)], armed_s=-0.5)
    assert done.findings[0].detail["may_have_run_already"]
    assert not run(scanner(), [0.0], armed_s=-9).findings[0].detail["may_have_run_already"]


def test_a_stop_long_before_the_end_is_only_a_stop() -> None:
    assert run(scanner(), [2.0 * volume for volume in range(12)]).kinds() == ["missed", "missed", "stopped"]


def test_a_sequence_without_an_end_tells_nothing() -> None:
    done = run(scanner(sequence_ends="open"), [2.0 * volume for volume in range(1, 20)])
    assert "first_missed" not in done.kinds()


def test_a_run_that_is_over_before_its_last_pulse_is_due_tells_nothing() -> None:
    assert run(scanner(), [2.0 * volume for volume in range(10)], end_s=19.0).kinds() == []


def test_numbered_markers_tell_it_at_once_and_for_sure() -> None:
    trigger = {"path": "lsl", "stream": {"name": "scanner"}, "numbered_from": 1}
    times_s = [2.0 * volume for volume in range(2, 20)]
    marks = [f"volume {volume + 1}" for volume in range(2, 20)]
    done = run(scanner(trigger=trigger), times_s, marks=marks)
    assert done.kinds() == ["first_missed"]
    found = done.only("first_missed")
    assert found.detail["sure"]
    assert (found.count, found.time_s) == (2, ZERO_S + 4.0)
    assert done.volumes() == list(range(2, 20))
    assert done.ledger.start_s() == pytest.approx(ZERO_S)
    assert done.ledger.summary()["missed_volumes"] == [0, 1]


def test_numbered_markers_of_a_sound_run_tell_nothing() -> None:
    trigger = {"path": "lsl", "stream": {"name": "scanner"}, "numbered_from": 0}
    marks = [str(volume) for volume in range(20)]
    done = run(scanner(trigger=trigger), [2.0 * volume for volume in range(20)], marks=marks)
    assert done.kinds() == []


@pytest.mark.parametrize("missed", [1, 3, 8])
def test_the_silence_of_a_sparse_volume_tells_missed_slices_for_sure(missed: int) -> None:
    section = scanner(
        tr_s=4.0, volumes=6, pulse_per="slice", slices=10, acquisition_s=1.0, debounce_ms=20, jitter_ms=2
    )
    times_s = [4.0 * volume + 0.1 * part for volume in range(6) for part in range(10)][missed:]
    done = run(section, times_s)
    found = done.only("first_missed")
    assert found.detail["sure"]
    assert found.count == missed
    assert found.detail["readings"][0]["start_s"] == pytest.approx(ZERO_S, abs=1e-6)
    assert [entry.volume for entry in done.entries if entry.verdict == "volume"] == [0, 1, 2, 3, 4, 5]
    assert "stopped" not in done.kinds()


def test_a_missed_slice_at_the_start_shows_in_the_count() -> None:
    section = scanner(tr_s=1.0, volumes=5, pulse_per="slice", slices=10, debounce_ms=20, jitter_ms=2)
    found = run(section, [0.1 * number for number in range(1, 50)]).only("first_missed")
    assert found.detail["readings"][0]["offset_s"] == pytest.approx(0.1)
