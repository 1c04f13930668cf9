"""A gateway that goes, comes back, or comes back as another one: a person hears of it, and the reader goes on."""

from __future__ import annotations

import time
import uuid
from collections.abc import Callable, Iterator

import pylsl
import pytest

from closedloop.protocol.sections.scan import Scanner
from closedloop.scan.ports import Pulse, TriggerEvent, TriggerNotice, TriggerSource
from hardware.triggers import open_trigger

pytestmark = pytest.mark.lsl


def gateway(source_id: str, form: int = pylsl.cf_string) -> pylsl.StreamOutlet:
    info = pylsl.StreamInfo("gateway", "Markers", 1, pylsl.IRREGULAR_RATE, form, source_id)
    return pylsl.StreamOutlet(info)


@pytest.fixture
def source_id() -> str:
    return f"gateway-{uuid.uuid4().hex[:8]}"


@pytest.fixture
def outlet(source_id: str) -> list[pylsl.StreamOutlet]:
    """In a list, so that a test can let the last reference go: then the stream ends."""
    return [gateway(source_id)]


@pytest.fixture
def source(source_id: str, outlet: list[pylsl.StreamOutlet]) -> Iterator[TriggerSource]:
    trigger = {"path": "lsl", "stream": {"source_id": source_id}}
    made = open_trigger(Scanner.model_validate({"tr_s": 2, "volumes": 9, "trigger": trigger}), ())
    made.open()
    yield made
    made.close()


def until(
    source: TriggerSource, done: Callable[[TriggerEvent], bool], timeout_s: float = 20.0
) -> TriggerEvent:
    end_s = time.monotonic() + timeout_s
    heard: list[TriggerEvent] = []
    while time.monotonic() < end_s:
        for event in source.poll():
            heard.append(event)
            if done(event):
                return event
        time.sleep(0.02)
    raise AssertionError(f"waited {timeout_s} s in vain; heard: {heard}")


def says(words: str) -> Callable[[TriggerEvent], bool]:
    return lambda event: isinstance(event, TriggerNotice) and words in event.words


@pytest.mark.timeout(90)
def test_a_gateway_that_is_lost_refused_and_found_again_is_told_of(
    source: TriggerSource, source_id: str, outlet: list[pylsl.StreamOutlet]
) -> None:
    outlet.clear()
    lost = until(source, says("was lost"))
    assert isinstance(lost, TriggerNotice)
    assert source_id in lost.words
    assert "Is its sender running?" in lost.words
    outlet.append(gateway(source_id, pylsl.cf_int32))  # another program than before
    refused = until(source, says("can't be taken up again"))
    assert isinstance(refused, TriggerNotice)
    assert "int32" in refused.words
    outlet[:] = [gateway(source_id)]
    until(source, says("was found again"))
    outlet[0].wait_for_consumers(5)
    outlet[0].push_sample(["volume"])
    until(source, lambda event: isinstance(event, Pulse))
