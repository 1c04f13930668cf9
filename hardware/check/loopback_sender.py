"""``python -m hardware.check.loopback_sender SOURCE_ID SAMPLES RATE_HZ``: sends numbered samples, then ends."""

from __future__ import annotations

import sys
import time

import pylsl

_LISTENER_S = 15.0
_LINGER_S = 5.0


def main(source_id: str, samples: int, rate_hz: float) -> None:
    """Wait for a listener, send, stay a little so that everything arrives."""
    info = pylsl.StreamInfo("closedloop-check", "check", 1, rate_hz, pylsl.cf_int32, source_id)
    outlet = pylsl.StreamOutlet(info)
    if not outlet.wait_for_consumers(_LISTENER_S):
        return
    for number in range(samples):
        outlet.push_sample([number])
        time.sleep(1 / rate_hz)
    time.sleep(_LINGER_S)  # the listener ends us as soon as it has all


if __name__ == "__main__":
    main(sys.argv[1], int(sys.argv[2]), float(sys.argv[3]))
