"""What a protocol may say of the trigger and its pulses."""

from __future__ import annotations

from pathlib import Path

import pytest

from closedloop.errors import ProtocolError
from closedloop.protocol.load import load_scan

SCAN = """\
kind: scan
subject: {id: s1}
seed: 7
scanner: {tr_s: 2, volumes: 100}
stimuli: {conditions: [{name: faces, codes: 8}]}
design: {kind: event_related, image_s: 1}
task: {kind: buttons, keys: ["1", "2"]}
"""
SERIAL = ("scanner.trigger.path=serial", "scanner.trigger.port=/dev/ttyS9")
LSL = ("scanner.trigger.path=lsl", "scanner.trigger.stream={source_id: gateway}")


@pytest.fixture
def scan(write) -> Path:
    return write(SCAN)


def refused(scan: Path, *overrides: str) -> str:
    with pytest.raises(ProtocolError) as caught:
        load_scan(scan, overrides)
    return str(caught.value)


@pytest.mark.parametrize(
    ("overrides", "key"),
    [
        (("scanner.trigger.key='1'",), "key"),
        ((*SERIAL, "scanner.trigger.byte=49"), "byte"),
        ((*LSL, "scanner.trigger.marker='1'"), "marker"),
    ],
)
def test_a_key_of_the_subjects_that_is_the_triggers_is_refused(
    scan: Path, overrides: tuple[str, ...], key: str
) -> None:
    assert f"'1', which is the scanner's (scanner.trigger.{key})" in refused(scan, *overrides)


@pytest.mark.parametrize(
    "overrides",
    [
        (*SERIAL, "scanner.trigger.byte=53"),
        (*SERIAL, "scanner.trigger.key='1'"),
        (*SERIAL, "scanner.trigger.byte=49", "scanner.trigger.line=cts"),
        (*LSL, "scanner.trigger.marker=volume"),
        LSL,
    ],
)
def test_what_does_not_count_on_the_path_bars_no_key(scan: Path, overrides: tuple[str, ...]) -> None:
    load_scan(scan, overrides)


@pytest.mark.parametrize("hz", ["1", "99", "20001", "1000000"])
def test_a_line_is_looked_at_neither_too_seldom_nor_more_often_than_can_be(scan: Path, hz: str) -> None:
    assert "poll_hz" in refused(scan, *SERIAL, f"scanner.trigger.poll_hz={hz}")


@pytest.mark.parametrize("pin", [0, 3, 14, 16])
def test_a_pin_that_does_not_come_in_is_refused(scan: Path, pin: int) -> None:
    words = refused(
        scan,
        "scanner.trigger.path=parallel",
        "scanner.trigger.port=/dev/parport0",
        f"scanner.trigger.pin={pin}",
    )
    assert "pin" in words
    assert "10, 11, 12, 13" in words


SLICES = ("scanner.pulse_per=slice", "scanner.slices=20", "scanner.debounce_ms=20")


@pytest.mark.parametrize(
    ("overrides", "most_ms", "interval"),
    [
        ((), 200, "2000 ms"),
        (SLICES, 10, "100 ms"),
        ((*SLICES, "scanner.acquisition_s=1"), 5, "50 ms"),
        (("scanner.acquisition_s=1",), 200, "2000 ms"),
    ],
)
def test_jitter_is_at_most_a_tenth_of_what_is_between_pulses(
    scan: Path, overrides: tuple[str, ...], most_ms: float, interval: str
) -> None:
    load_scan(scan, (*overrides, f"scanner.jitter_ms={most_ms}"))
    words = refused(scan, *overrides, f"scanner.jitter_ms={most_ms + 1}")
    assert f"at most a tenth of the {interval} from pulse to pulse" in words
