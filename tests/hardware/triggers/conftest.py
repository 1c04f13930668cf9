from __future__ import annotations

import contextlib
import math
import os
import signal
import uuid
from collections import deque
from collections.abc import Iterator, Sequence
from typing import Any, Protocol

import pylsl
import pytest

from closedloop.ports import Clock
from closedloop.protocol.sections.scan import Scanner
from closedloop.scan.ports import TriggerDied, TriggerEvent, TriggerInfo, TriggerSource
from hardware.clock import LslClock, VirtualClock
from hardware.display import virtual_display
from hardware.lsl.messages import Heartbeat
from hardware.scanner.keyboard import KeyboardOutput
from hardware.scanner.marker_stream import MarkerStreamOutput
from hardware.scanner.output import Output, Sent
from hardware.scanner.pseudo_serial import PseudoSerialOutput
from hardware.triggers import SimulatedTrigger, TriggerReader, open_trigger
from hardware.triggers.edges import EdgeEar
from hardware.triggers.hearing import Hearing

KEYS = ("1", "2")


class Rig(Protocol):
    """A trigger, and what is at the other end of its wire."""

    source: TriggerSource
    clock: Clock
    has_keys: bool

    def pulse(self) -> Sent: ...
    def press(self, key: str) -> Sent: ...
    def kill(self) -> None: ...


class PlayedRig:
    """A reader in its own process, with an output of the simulated scanner at the other end."""

    has_keys = True

    def __init__(self, output: Output, trigger: dict[str, Any]) -> None:
        self.output = output
        self.where = output.open()
        if trigger["path"] == "serial":
            trigger["port"] = self.where
        self.source = open_trigger(
            Scanner.model_validate({"tr_s": 2, "volumes": 9, "trigger": trigger}), KEYS
        )
        self.clock = LslClock()

    def pulse(self) -> Sent:
        sent = self.output.down(None)
        self.clock.sleep(0.01)
        self.output.up(None)
        return sent

    def press(self, key: str) -> Sent:
        sent = self.output.down(key)
        self.output.up(key)
        return sent

    def kill(self) -> None:
        assert isinstance(self.source, TriggerReader)
        assert self.source.pid is not None
        os.kill(self.source.pid, signal.SIGKILL)


class SimulatedRig:
    has_keys = True

    def __init__(self, window_keys: Sequence[str] = ()) -> None:
        self.clock = VirtualClock()
        self.source = self.trigger = SimulatedTrigger(self.clock, window_keys=window_keys)

    def pulse(self) -> Sent:
        self.trigger.play([0.0])
        return self._now()

    def press(self, key: str) -> Sent:
        self.trigger.play([], [(0.0, key)])
        return self._now()

    def kill(self) -> None:
        self.trigger.die()

    def _now(self) -> Sent:
        sent = Sent(self.clock.now(), self.clock.now())
        self.clock.sleep(0.01)
        return sent


class FakeLine:
    """Stands in for a wire that no test machine has: a serial port's CTS or a parallel port's pin."""

    name = "fake line"

    def __init__(self, path: str) -> None:
        self.path = path
        self.level = self.broken = False

    def open(self) -> None: ...

    def high(self) -> bool:
        if self.broken:
            raise OSError("pulled out")
        return self.level

    def changes(self) -> int | None:
        return None

    def close(self) -> None: ...


class InProcess:
    """An ear behind the port without a process, as a fake line can't go into another."""

    def __init__(self, line: FakeLine, poll_hz: float) -> None:
        self._line, self._poll_hz = line, poll_hz
        self._heard: deque[TriggerEvent] = deque()
        self._hearing: Hearing | None = None
        self._listened_s = self.heard_until_s = -math.inf

    def open(self) -> TriggerInfo:
        self._hearing = Hearing(
            [EdgeEar(self._line, self._poll_hz)], self._heard.append, self._listened, self._failed
        )
        self.heard_until_s = pylsl.local_clock()
        return self._hearing.open()

    def poll(self) -> Sequence[TriggerEvent]:
        self.heard_until_s = max(self.heard_until_s, self._listened_s)
        return [self._heard.popleft() for _ in range(len(self._heard))]

    def close(self) -> None:
        if self._hearing is not None:
            self._hearing.close()
        self._heard.clear()

    def _listened(self, heartbeat: Heartbeat) -> None:
        self._listened_s = heartbeat.heard_until_s

    def _failed(self, error: Exception) -> None:
        self._heard.append(TriggerDied(str(error), pylsl.local_clock()))


class FakeRig:
    """Polls at 200 Hz, so that a starved machine sees pulses of 50 ms all the same."""

    has_keys = False

    def __init__(self, path: str) -> None:
        self.line = FakeLine(path)
        self.source = InProcess(self.line, 200.0)
        self.clock = LslClock()

    def pulse(self) -> Sent:
        before_s = self.clock.now()
        self.line.level = True
        sent = Sent(before_s, self.clock.now())
        self.clock.sleep(0.05)
        self.line.level = False
        self.clock.sleep(0.05)
        return sent

    def press(self, key: str) -> Sent:
        raise NotImplementedError

    def kill(self) -> None:
        self.line.broken = True


@pytest.fixture(scope="session")
def screen() -> Iterator[str]:
    with virtual_display((320, 240)) as display:
        yield display.name


PATHS = [
    "simulated",
    "simulated without X11",
    pytest.param("keyboard", marks=pytest.mark.display),
    "serial",
    pytest.param("lsl", marks=pytest.mark.lsl),
    "serial line",
    "parallel",
]


@contextlib.contextmanager
def rig_for(path: str, request: pytest.FixtureRequest) -> Iterator[Rig]:
    output: Output
    if path.startswith("simulated"):
        yield SimulatedRig(KEYS if path == "simulated without X11" else ())
        return
    if path in ("serial line", "parallel"):
        yield FakeRig(path.split()[0])
        return
    if path == "keyboard":
        request.getfixturevalue("screen")
        output, trigger = KeyboardOutput("5"), {"path": "keyboard", "key": "5"}
    elif path == "serial":
        # byte: no screen may be there, so that the keys come as bytes, too
        output, trigger = PseudoSerialOutput(ord("5")), {"path": "serial", "byte": ord("5")}
    else:
        source_id = f"contract-{uuid.uuid4().hex[:8]}"
        output = MarkerStreamOutput("scanner", source_id, "volume")
        trigger = {"path": "lsl", "marker": "volume", "stream": {"source_id": source_id}}
    try:
        yield PlayedRig(output, trigger)
    finally:
        output.close()


@pytest.fixture(scope="module", params=PATHS)
def rig(request: pytest.FixtureRequest) -> Iterator[Rig]:
    """Every path, open, for all tests of a module that leave it open; the last of them may kill it."""
    with rig_for(request.param, request) as made:
        made.info = made.source.open()  # type: ignore[attr-defined]  # kept for the tests that ask for it
        try:
            yield made
        finally:
            made.source.close()
