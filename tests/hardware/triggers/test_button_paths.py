"""Which ear hears the subject's keys, on a rig with X11 and on one without."""

from __future__ import annotations

import sys
import time
import uuid
from collections.abc import Iterator

import pytest

from closedloop.errors import TriggerError
from closedloop.protocol.sections.response import StreamSelection
from closedloop.protocol.sections.scan import Trigger
from closedloop.scan.ports import ButtonPress, Pulse, TriggerInfo
from hardware.scanner.keyboard import KeyboardOutput
from hardware.scanner.marker_stream import MarkerStreamOutput
from hardware.scanner.pseudo_serial import PseudoSerialOutput
from hardware.triggers import button_words
from hardware.triggers.ears import ears_for
from hardware.triggers.hearing import Hearing
from hardware.triggers.messages import Start


class Rig:
    """The ears that a protocol gets here, open."""

    def __init__(self, trigger: Trigger, *keys: str) -> None:
        start = Start(trigger, keys, 10.0)
        self.heard: list[object] = []
        self.failed: list[Exception] = []
        self.hearing = Hearing(
            ears_for(start), self.heard.append, [].append, self.failed.append, start.response_keys
        )
        self.info: TriggerInfo = self.hearing.open()

    def close(self) -> None:
        self.hearing.close()
        assert not self.failed


@pytest.fixture
def port() -> Iterator[str]:
    output = PseudoSerialOutput(ord("t"))
    yield output.open()
    output.close()


@pytest.fixture
def no_x11(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("DISPLAY", raising=False)


@pytest.mark.usefixtures("no_x11")
def test_without_x11_the_keys_are_left_to_the_window_and_it_is_said(port: str) -> None:
    rig = Rig(Trigger(path="serial", port=port, byte=ord("t")), "1", "space")
    rig.close()
    assert rig.info.window_keys == ("1", "space")
    (words,) = button_words(rig.info)
    for expected in ("1, space", "no X11", "stimulus window has the focus", "one frame"):
        assert expected in words


@pytest.mark.parametrize("platform", ["win32", "darwin"])
def test_on_other_platforms_the_window_alone_sees_the_keyboard(
    monkeypatch: pytest.MonkeyPatch, port: str, platform: str
) -> None:
    start = Start(Trigger(path="serial", port=port), ("1",), 1.0)
    monkeypatch.setattr(sys, "platform", platform)
    (ear,) = ears_for(start)
    monkeypatch.undo()
    hearing = Hearing([ear], [].append, [].append, [].append, start.response_keys)
    info = hearing.open()
    hearing.close()
    assert info.window_keys == ("1",)


@pytest.mark.usefixtures("no_x11")
def test_without_keys_there_is_nothing_to_say(port: str) -> None:
    rig = Rig(Trigger(path="serial", port=port))
    rig.close()
    assert rig.info.window_keys == ()
    assert button_words(rig.info) == []


@pytest.mark.display
def test_where_the_keyboard_is_heard_nothing_is_left_to_the_window(screen: str, port: str) -> None:
    rig = Rig(Trigger(path="serial", port=port, byte=ord("t")), "1", "space")
    try:
        assert rig.info.window_keys == ()
        assert rig.info.details["buttons"]["device"] == f"X display {screen}"
        assert button_words(rig.info) == []
    finally:
        rig.close()


@pytest.mark.lsl
@pytest.mark.display
def test_names_that_only_the_stream_knows_come_as_markers_and_it_is_said(screen: str) -> None:
    selection = StreamSelection(source_id=f"buttons-{uuid.uuid4().hex[:8]}")
    markers = MarkerStreamOutput("scanner", str(selection.source_id), "volume")
    markers.open()
    keyboard = KeyboardOutput("5")
    keyboard.open()
    rig = Rig(Trigger(path="lsl", stream=selection, marker="volume"), "button_left", "b")
    try:
        (words,) = button_words(rig.info)
        assert "(button_left): not in this keyboard's layout" in words
        markers.down(None)
        markers.down("button_left")
        keyboard.down("b")
        keyboard.up("b")
        await_events(rig, 3)
    finally:
        rig.close()
        keyboard.close()
        markers.close()
    assert sum(isinstance(event, Pulse) for event in rig.heard) == 1
    assert {event.key for event in rig.heard if isinstance(event, ButtonPress)} == {"button_left", "b"}


@pytest.mark.display
@pytest.mark.usefixtures("screen")
def test_a_name_that_no_path_can_carry_is_refused(port: str) -> None:
    with pytest.raises(TriggerError, match="'button_left'"):
        Rig(Trigger(path="serial", port=port, byte=ord("t")), "button_left")


def await_events(rig: Rig, count: int) -> None:
    end_s = time.monotonic() + 10
    while len(rig.heard) < count:
        assert time.monotonic() < end_s, f"waited in vain; heard {rig.heard}"
        time.sleep(0.005)
