"""What hears one path, in a thread of the trigger's process; the process itself does the rest."""

from __future__ import annotations

import os
import sys
import threading
import time
from collections.abc import Callable
from typing import Protocol, TypeAlias

from closedloop.scan.ports import ButtonPress, Pulse, TriggerInfo, TriggerNotice
from hardware.stage.priority import raise_priority

Emit: TypeAlias = Callable[[Pulse | ButtonPress | TriggerNotice], None]
Listened: TypeAlias = Callable[[float], None]
"""Takes an instant on the one clock; everything that had come in by then has been handed over."""

BUTTONS = "buttons"
"""Which detail of ``TriggerInfo`` tells of the keyboard, where it is heard besides the trigger's path."""
LACKING = "not_in_the_layout"
"""Which detail of the keyboard's names keys of the subject that it has not."""

CHECK_S = 0.02  # how often a blocked ear says that it listens, and looks whether it shall end
_PRIORITY = 12  # above the stage's frame loop, which waits for its flips without sleeping; an ear runs for microseconds
_LEAST_S = 5e-4
_SLEEPS, _SLEEP_S = 60, 5e-3  # long enough for caches to go cold, as they do between two pulses


class Ear(Protocol):
    """Hears one path. ``open`` and ``hear`` may run in different threads, one after the other."""

    @property
    def keys(self) -> frozenset[str]:
        """Those of the subject's keys that can come this way."""
        ...

    def open(self) -> TriggerInfo:
        """Open the device (blocks). What came in before is not heard.

        Raises:
            TriggerError: it is not there, may not be used, or is not what the protocol says.
        """
        ...

    def hear(self, emit: Emit, closing: threading.Event, listened: Listened) -> None:
        """Hand over everything that comes in, and what a person must know of the device, until ``closing`` is set (blocks), then close the device.

        Whenever this very thread has looked at the device and found nothing that waits, at least every ``CHECK_S``,
        it says so with ``listened``, and gives the time from just before it looked: that nothing came is concluded
        from that alone. No other thread may say it in its stead.

        Raises:
            TriggerError: the device is gone.
        """
        ...


def hurry() -> str:
    """Ask for real-time priority for this thread; return in words what was granted."""
    if not sys.platform.startswith("linux"):
        return "normal"  # how to ask elsewhere is known to PsychoPy alone, which this process does without
    granted = raise_priority()
    if not granted.realtime:
        return granted.words
    try:
        os.sched_setscheduler(0, os.SCHED_FIFO, os.sched_param(_PRIORITY))
    except PermissionError:
        return granted.words
    return f"SCHED_FIFO {_PRIORITY}"


def measure_wake_up() -> tuple[float, str]:
    """Return what a hurried thread takes to run again at most, as measured now, in seconds, and its priority.

    A path without stamps of its own (bytes, lines) can be no more exact than that; 0.5 ms is the least that is
    believed, as a quiet moment says little of the next one.
    """
    found: list[tuple[float, str]] = []

    def measure() -> None:
        words, worst_s = hurry(), 0.0
        for _ in range(_SLEEPS):
            begun_s = time.monotonic()
            time.sleep(_SLEEP_S)
            worst_s = max(worst_s, time.monotonic() - begun_s - _SLEEP_S)
        found.append((max(worst_s, _LEAST_S), words))

    thread = threading.Thread(target=measure, name="trigger-wake-up")
    thread.start()
    thread.join()
    return found[0]
