"""What hears one path, in a thread of the trigger's process; the process itself does the rest."""

from __future__ import annotations

import sys
import threading
from collections.abc import Callable
from typing import Protocol, TypeAlias

from closedloop.scan.ports import ButtonPress, Pulse, TriggerInfo
from hardware.stage.priority import raise_priority

Emit: TypeAlias = Callable[[Pulse | ButtonPress], None]

CHECK_S = 0.1  # how often a blocked ear looks whether it shall end
WAKE_UP_S = 2e-4  # what a blocked thread of real-time priority takes to run again, a starved machine aside


class Ear(Protocol):
    """Hears one path. ``open`` and ``hear`` may run in different threads, one after the other."""

    def open(self) -> TriggerInfo:
        """Open the device (blocks). What came in before is not heard.

        Raises:
            TriggerError: it is not there, may not be used, or is not what the protocol says.
        """
        ...

    def hear(self, emit: Emit, closing: threading.Event) -> None:
        """Hand over everything that comes in, until ``closing`` is set (blocks), then close the device.

        Raises:
            TriggerError: the device is gone.
        """
        ...


def hurry() -> str:
    """Ask for real-time priority for this thread; return in words what was granted."""
    if not sys.platform.startswith("linux"):
        return "normal"  # how to ask elsewhere is known to PsychoPy alone, which this process does without
    return raise_priority().words
