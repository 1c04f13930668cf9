"""Priority of the frame loop, as far as the system grants it, and garbage collection out of its way."""

from __future__ import annotations

import os
import sys

_FIFO_PRIORITY = 10  # above all ordinary processes, below the kernel's own real-time threads


def raise_priority() -> str:
    """Ask for real-time priority for the calling thread and those that it starts from now on.

    Returns:
        What was granted, in words, for example ``"SCHED_FIFO 10"`` or ``"normal: not permitted"``.
    """
    if sys.platform.startswith("linux"):
        try:
            os.sched_setscheduler(0, os.SCHED_FIFO, os.sched_param(_FIFO_PRIORITY))
        except PermissionError:
            return _niced()
        return f"SCHED_FIFO {_FIFO_PRIORITY}"
    return _rushed()


def _niced() -> str:
    try:
        os.nice(-10)
    except PermissionError:
        return "normal: not permitted (an rtprio limit of 10 or more for this user would permit it)"
    return "nice -10: real-time not permitted"


def _rushed() -> str:
    # Windows and macOS: PsychoPy knows how to ask there. Untried by us.
    from psychopy import core

    return "realtime (psychopy.core.rush)" if core.rush(True, realtime=True) else "normal: not permitted"
