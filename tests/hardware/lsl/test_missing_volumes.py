"""What a volume that never comes does to the state of a stream of volumes."""

from __future__ import annotations

from pathlib import Path

import pytest

from closedloop.ports import StreamState
from closedloop.protocol.load import load_protocol
from hardware.lsl.liveness import LivenessMonitor, thresholds

FILE = Path(__file__).parents[3] / "protocols" / "rig_bold.yaml"


@pytest.mark.parametrize("stamped", ["end", "start"])
@pytest.mark.parametrize(("missing", "state"), [(1, StreamState.LIVE), (2, StreamState.LATE)])
def test_one_missing_volume_holds_nothing_up_whichever_end_is_stamped(
    stamped: str, missing: int, state: StreamState
) -> None:
    spec = load_protocol(FILE, [f"response.volumes.stamped={stamped}"]).protocol.response
    assert spec.volumes is not None
    tr_s, delay_s = spec.volumes.tr_s, spec.volumes.delay_s
    monitor = LivenessMonitor("response", thresholds("rates", 1 / tr_s, spec.liveness_in_use), 0.0)
    early_s = tr_s if stamped == "start" else 0.0
    for volume in range(1, 6):
        ended_s = volume * tr_s
        monitor.heard(ended_s - early_s, ended_s + delay_s)
        for wait_s in (0.0, 1.0):
            monitor.tick(ended_s + delay_s + wait_s)
    assert monitor.state is StreamState.LIVE
    # just before the first volume that comes again
    monitor.tick(ended_s + delay_s + (1 + missing) * tr_s - 0.01)
    assert monitor.state is state
