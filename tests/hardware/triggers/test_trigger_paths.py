"""What is particular to a path."""

from __future__ import annotations

import subprocess
import sys
import threading
import time
import uuid
from collections.abc import Iterator
from contextlib import contextmanager

import pylsl
import pytest

from closedloop.errors import TriggerError
from closedloop.protocol.sections.response import StreamSelection
from closedloop.protocol.sections.scan import Scanner, Trigger
from closedloop.scan.ports import ButtonPress, Pulse
from hardware.scanner.keyboard import KeyboardOutput
from hardware.scanner.marker_stream import MarkerStreamOutput
from hardware.scanner.pseudo_serial import PseudoSerialOutput
from hardware.triggers import open_trigger
from hardware.triggers.ear import Ear
from hardware.triggers.hearing import Hearing
from hardware.triggers.keyboard import KeyboardEar
from hardware.triggers.lsl import LslEar
from hardware.triggers.serial_bytes import SerialBytesEar


@contextmanager
def hearing(ear: Ear) -> Iterator[list[Pulse | ButtonPress]]:
    heard: list[Pulse | ButtonPress] = []
    failed: list[Exception] = []
    open_ear = Hearing([ear], heard.append, [].append, failed.append)
    open_ear.open()
    try:
        yield heard
    finally:
        open_ear.close()
    assert not failed


def until(heard: list[Pulse | ButtonPress], count: int, timeout_s: float = 10.0) -> None:
    end_s = time.monotonic() + timeout_s
    while len(heard) < count:
        assert time.monotonic() < end_s, f"waited in vain; heard {heard}"
        time.sleep(0.005)


@pytest.fixture
def keyboard(screen: str) -> Iterator[KeyboardOutput]:
    output = KeyboardOutput("5")
    output.open()
    yield output
    output.close()


@pytest.mark.display
def test_a_held_key_is_one_pulse_and_short_ones_are_all_heard(keyboard: KeyboardOutput) -> None:
    with hearing(KeyboardEar("5", ["b"])) as heard:
        keyboard.down(None)
        time.sleep(0.9)  # the server repeats a held key after 0.66 s, each 40 ms
        keyboard.up(None)
        for _ in range(20):
            keyboard.down(None)
            keyboard.up(None)
        keyboard.down("b")
        keyboard.up("b")
        until(heard, 22)
    assert [type(event) for event in heard] == [Pulse] * 21 + [ButtonPress]


@pytest.mark.display
def test_the_servers_clock_is_seen_to_be_ours(keyboard: KeyboardOutput) -> None:
    info = KeyboardEar("5").open()
    assert info.details["server_clock_is_local_clock"]
    assert info.resolution_s <= 0.016


@pytest.mark.display
@pytest.mark.parametrize(
    ("key", "keys", "found"),
    [
        ("5", ["1", "5"], "the key that the scanner types"),
        ("nonsense", [], "no such key"),
        ("5", ["§§"], "no such key"),
    ],
)
def test_keys_that_cannot_be_are_one_error(screen: str, key: str, keys: list[str], found: str) -> None:
    with pytest.raises(TriggerError, match=found):
        KeyboardEar(key, keys).open()


def test_without_an_x_server_the_error_says_so() -> None:
    with pytest.raises(TriggerError, match="no X server"):
        KeyboardEar("5", display=":5099").open()


def test_on_another_platform_the_error_says_what_to_use(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "platform", "win32")
    with pytest.raises(TriggerError, match="'serial' or 'lsl'"):
        KeyboardEar("5").open()


def test_only_the_byte_that_was_asked_for_is_a_pulse() -> None:
    output = PseudoSerialOutput(ord("t"))
    port = output.open()
    try:
        with hearing(SerialBytesEar(port, 115200, ord("t"), ["1", "t", "space"])) as heard:
            for key in ("x", None, "1", "t"):
                output.down(key)
            until(heard, 3)
            time.sleep(0.05)
        assert [event.mark if isinstance(event, Pulse) else event.key for event in heard] == [
            "0x74",
            "1",
            "0x74",
        ]
    finally:
        output.close()


@pytest.fixture
def stream() -> StreamSelection:
    return StreamSelection(source_id=f"path-{uuid.uuid4().hex[:8]}")


@pytest.mark.lsl
def test_numbers_are_markers_too_and_others_are_not_heard(stream: StreamSelection) -> None:
    output = MarkerStreamOutput("scanner", str(stream.source_id), "1280000", numeric=True)
    output.open()
    with hearing(LslEar(stream, "1280000", ["2"], 10.0)) as heard:
        for key in (None, "7", "2", None):
            sent = output.down(key)
        until(heard, 3)
        assert heard[-1].time_s == pytest.approx(sent.before_s, abs=heard[-1].uncertainty_s + 1e-3)
    assert [event.mark if isinstance(event, Pulse) else event.key for event in heard] == [
        "1280000",
        "2",
        "1280000",
    ]


@pytest.mark.lsl
def test_markers_that_bear_numbers_are_pulses_where_any_is(stream: StreamSelection) -> None:
    output = MarkerStreamOutput("scanner", str(stream.source_id), "volume")
    output.open()
    with hearing(LslEar(stream, None, ["2"], 10.0)) as heard:
        output.down(None, 7)
        output.down("2")
        until(heard, 2)
    assert [event.mark if isinstance(event, Pulse) else event.key for event in heard] == ["volume 7", "2"]


@pytest.mark.lsl
def test_a_sender_that_ended_is_found_again(stream: StreamSelection) -> None:
    output = MarkerStreamOutput("scanner", str(stream.source_id), "volume", wait_listener_s=10.0)
    output.open()
    with hearing(LslEar(stream, None, [], 10.0)) as heard:
        output.down(None)
        until(heard, 1)
        output.close()
        output.open()
        assert output.await_listener()
        end_s = time.monotonic() + 10
        while len(heard) < 2 and time.monotonic() < end_s:
            output.down(None)  # what comes while the ear measures the new clock may be lost
            time.sleep(0.1)
        assert len(heard) >= 2
    output.close()


@pytest.mark.lsl
def test_a_stream_that_is_missing_or_no_markers_is_one_error(stream: StreamSelection) -> None:
    with pytest.raises(TriggerError, match=str(stream.source_id)):
        LslEar(stream, None, [], 0.1).open()
    info = pylsl.StreamInfo("analog", "EEG", 1, 1000, pylsl.cf_float32, stream.source_id)
    outlet = pylsl.StreamOutlet(info)
    with pytest.raises(TriggerError, match="1000 Hz"):
        LslEar(stream, None, [], 10.0).open()
    del outlet


def test_the_reader_imports_neither_torch_nor_psychopy() -> None:
    modules = ["process", "keyboard", "serial_bytes", "edges", "lsl", "parallel", "serial_line"]
    code = (
        "import sys, "
        + ", ".join(f"hardware.triggers.{name}" for name in modules)
        + "; print([m for m in ('torch', 'psychopy', 'pandas') if m in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


def test_an_error_of_the_reader_reaches_the_session_as_it_was() -> None:
    source = open_trigger(Scanner(tr_s=2, volumes=1, trigger=Trigger(path="parallel", port="/dev/parport77")))
    with pytest.raises(TriggerError, match="modprobe ppdev"):
        source.open()
    assert list(source.poll()) == []
    source.close()


def test_no_thread_is_left_behind() -> None:
    assert not [thread for thread in threading.enumerate() if thread.name == "trigger-ear"]
