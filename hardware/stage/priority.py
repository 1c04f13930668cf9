"""Priority of the frame loop, as far as the system grants it, and garbage collection out of its way."""

from __future__ import annotations

import os
import sys
from dataclasses import dataclass

_FIFO_PRIORITY = 10  # above all ordinary processes, below the kernel's own real-time threads


@dataclass(frozen=True)
class Priority:
    """What was granted.

    Attributes:
        words: for example ``"SCHED_FIFO 10"`` or ``"normal: not permitted"``.
        realtime: nothing ordinary comes before us.
    """

    words: str
    realtime: bool


def raise_priority() -> Priority:
    """Ask for real-time priority for the calling thread and those that it starts from now on."""
    if sys.platform.startswith("linux"):
        try:
            os.sched_setscheduler(0, os.SCHED_FIFO, os.sched_param(_FIFO_PRIORITY))
        except PermissionError:
            return _niced()
        return Priority(f"SCHED_FIFO {_FIFO_PRIORITY}", realtime=True)
    return _rushed()


def _niced() -> Priority:
    try:
        os.nice(-10)
    except PermissionError:
        return Priority("normal: not permitted (this user needs an rtprio limit of 10)", realtime=False)
    return Priority("nice -10: real-time not permitted", realtime=False)


def _rushed() -> Priority:
    # Windows and macOS: PsychoPy knows how to ask there. Untried by us.
    from psychopy import core

    if core.rush(True, realtime=True):
        return Priority("realtime (psychopy.core.rush)", realtime=True)
    return Priority("normal: not permitted", realtime=False)
