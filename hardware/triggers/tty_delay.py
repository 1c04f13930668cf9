"""How long the kernel takes to hand a byte of a serial port on.

Linux does that in a worker of ordinary priority (``tty_flip_buffer_push``), so that on a busy machine a byte can
wait for milliseconds, however high the reader's own priority is. Pseudo-terminals take the same way, and so it can be
measured without the device.
"""

from __future__ import annotations

import os
import select
import sys
import threading
import time

from hardware.triggers.ear import hurry, measure_wake_up

_BYTES, _PAUSE_S = 60, 5e-3  # long enough for caches to go cold, as they do between two pulses
_LEAST_S = 5e-4  # a quiet moment says little of the next one
_LOST_S = 1.0


def measure_tty_delay() -> tuple[float, str]:
    """Return what the slowest of 60 bytes took to its reader just now, in seconds, and the reader's priority."""
    if sys.platform == "win32":
        return measure_wake_up()
    found: list[tuple[float, str]] = []
    thread = threading.Thread(target=lambda: found.append(_measure()), name="trigger-tty-delay")
    thread.start()
    thread.join()
    return found[0]


def _measure() -> tuple[float, str]:
    import tty

    priority = hurry()
    near, far = os.openpty()
    try:
        tty.setraw(far)
        return max(_LEAST_S, *(_one_byte(near, far) for _ in range(_BYTES))), priority
    finally:
        os.close(near)
        os.close(far)


def _one_byte(near: int, far: int) -> float:
    time.sleep(_PAUSE_S)
    begun_s = time.monotonic()
    os.write(near, b"5")
    if select.select([far], [], [], _LOST_S)[0]:
        os.read(far, 1)
    return time.monotonic() - begun_s
