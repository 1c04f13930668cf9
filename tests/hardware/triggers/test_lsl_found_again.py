"""While a stream that was lost is opened again, its markers wait: the reader vouches for none of that time."""

from __future__ import annotations

import time
import uuid

import pylsl
import pytest

from closedloop.protocol.sections.scan import Trigger
from closedloop.scan.ports import Pulse
from hardware.triggers import TriggerReader

pytestmark = pytest.mark.lsl

EXACT_S = 1e-3  # of the fit of a sender's clock on this machine


def gateway(source_id: str) -> pylsl.StreamOutlet:
    return pylsl.StreamOutlet(
        pylsl.StreamInfo("gateway", "Markers", 1, pylsl.IRREGULAR_RATE, pylsl.cf_string, source_id)
    )


@pytest.mark.timeout(60)
def test_no_pulse_comes_from_a_time_that_was_vouched_for(request: pytest.FixtureRequest) -> None:
    source_id = f"gateway-{uuid.uuid4().hex[:8]}"
    outlet = gateway(source_id)
    reader = TriggerReader(Trigger.model_validate({"path": "lsl", "stream": {"source_id": source_id}}))
    reader.open()
    request.addfinalizer(reader.close)
    del outlet
    lost_s = reader.heard_until_s
    while reader.heard_until_s < lost_s + 0.5:
        reader.poll()
        time.sleep(0.005)
    outlet = gateway(source_id)  # it sends from the moment that it is there
    pulses_s: list[float] = []
    late_s: list[float] = []
    end_s = time.monotonic() + 20
    while len(pulses_s) < 200 and time.monotonic() < end_s:
        outlet.push_sample(["volume"])
        vouched_s = reader.heard_until_s
        came_s = [event.time_s for event in reader.poll() if isinstance(event, Pulse)]
        pulses_s += came_s
        late_s += [vouched_s - pulse_s for pulse_s in came_s]
        time.sleep(0.005)
    assert len(pulses_s) >= 200
    assert max(late_s) < EXACT_S
    vouched_s = reader.heard_until_s
    end_s = time.monotonic() + 5
    while reader.heard_until_s < vouched_s + 0.2:  # and it goes on to say that it listens
        assert time.monotonic() < end_s
        reader.poll()
        time.sleep(0.005)
