"""Runs a simulated region until it is asked to end."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable

import pylsl

from closedloop.errors import NoDisplayError
from hardware.region.options import RegionOptions
from hardware.region.region import Region


def run(options: RegionOptions, stopped: Callable[[], bool] = lambda: False) -> None:
    """Run the region until ``stopped()``, its time is over, or the X server has gone.

    Prints ``ready SOURCE_ID`` once its stream is up.

    Raises:
        ClosedLoopError: it can't start; see ``Region``.
    """
    region = Region(options)
    start_s = pylsl.local_clock()
    print(f"ready {options.source_id}", flush=True)  # noqa: T201 - the line that whoever starts us waits for
    try:
        while not stopped():
            region.step()
            if options.seconds is not None and pylsl.local_clock() - start_s >= options.seconds:
                break
            time.sleep(1 / options.subject.poll_hz)
    except NoDisplayError as error:
        print(f"simulated region: {error}", file=sys.stderr)  # noqa: T201 - a command's message
    finally:
        region.close()
    told = f"saw {region.seen} pictures, missed {region.missed}, sent {region.sent} volumes"
    print(f"simulated region: {told}", file=sys.stderr)  # noqa: T201 - a command's message
