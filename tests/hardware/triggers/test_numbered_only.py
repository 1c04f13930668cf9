"""On a stream whose pulses are numbered a marker without a number is no pulse; a person is told of it, not flooded."""

from __future__ import annotations

import time
import uuid

import pylsl
import pytest

from closedloop.protocol.sections.scan import Scanner
from closedloop.scan.ports import Pulse, TriggerEvent, TriggerNotice
from closedloop.scan.pulse_numbers import number_in
from hardware.triggers import open_trigger
from hardware.triggers.numbered_only import MOST_TOLD, SILENT_S, NumberedOnly


@pytest.mark.parametrize(
    ("mark", "number"),
    [
        ("volume 17", 17),
        ("17", 17),
        ("volume-007", 7),
        ('{"volume": 17}', 17),
        ("start", None),
        ("", None),
        ("run 2 begins", None),
        ("T1w", None),
        ("9" * 5000, None),
        ("1 " * 5000 + "x", None),
    ],
)
def test_the_number_is_what_a_marker_ends_in(mark: str, number: int | None) -> None:
    assert number_in(mark) == number


def test_the_first_one_without_is_told_with_what_is_awaited_and_what_to_set() -> None:
    words = NumberedOnly(1).words("volume", 0.0)
    assert "'volume', which ends in no number" in words
    assert "numbered_from: 1" in words
    assert "No marker with a number has come so far" in words
    assert (
        "set scanner.trigger.numbered_from to null, and scanner.trigger.marker to what all its pulses send"
        in words
    )


def test_while_no_pulse_comes_it_is_told_again_now_and_then() -> None:
    only = NumberedOnly(1)
    told = [2.0 * volume for volume in range(60) if only.words("volume", 2.0 * volume)]
    assert told == [0.0, SILENT_S, 2 * SILENT_S, 3 * SILENT_S]


def test_while_pulses_come_each_kind_is_told_once_and_a_chatty_stream_not_at_all() -> None:
    only = NumberedOnly(1)
    told = []
    for second in range(600):
        assert only.is_pulse(f"volume {second}", float(second))
        told += [only.words("heartbeat", second + 0.2), only.words(f"noise {second} dB", second + 0.5)]
    said = [words for words in told if words]
    assert len(said) == MOST_TOLD
    assert not any("set scanner" in words for words in said)
    assert "told of only while no pulses come" in said[-1]


def test_pulses_that_end_and_go_on_without_numbers_are_told_whatever_was_told_before() -> None:
    only = NumberedOnly(1)
    assert only.is_pulse("volume 1", 0.0)
    for number in range(MOST_TOLD):
        assert only.words(f"comment {number}.", 1.0 + number)
    assert only.words("volume", 20.0) == ""
    assert "None with a number has come for 40 s" in only.words("volume", 40.0)


def test_a_long_comment_is_cut_in_words() -> None:
    assert len(NumberedOnly(0).words("blah " * 1000, 0.0)) < 600


@pytest.mark.lsl
def test_over_lsl_only_numbered_markers_are_pulses_and_keys_stay_keys() -> None:
    source_id = f"gateway-{uuid.uuid4().hex[:8]}"
    info = pylsl.StreamInfo("gateway", "Markers", 1, pylsl.IRREGULAR_RATE, pylsl.cf_string, source_id)
    outlet = pylsl.StreamOutlet(info)
    trigger = {"path": "lsl", "stream": {"source_id": source_id}, "numbered_from": 1}
    source = open_trigger(
        Scanner.model_validate({"tr_s": 2, "volumes": 9, "trigger": trigger}), ("button_left",)
    )
    source.open()
    try:
        assert outlet.wait_for_consumers(5)
        for mark in ("start", "volume 1", "button_left", "start", "volume 2", "end"):
            outlet.push_sample([mark])
        heard: list[TriggerEvent] = []
        until_s = time.monotonic() + 10
        while time.monotonic() < until_s and not (heard and "'end'" in getattr(heard[-1], "words", "")):
            heard += source.poll()
            time.sleep(0.02)
    finally:
        source.close()
    assert [event.mark for event in heard if isinstance(event, Pulse)] == ["volume 1", "volume 2"]
    notices = [event.words for event in heard if isinstance(event, TriggerNotice)]
    assert ["'start'" in notices[0], "'end'" in notices[1], len(notices)] == [True, True, 2]
    assert source_id in notices[0]
    assert len(heard) == 5
