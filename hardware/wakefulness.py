"""Keeps processor cores from falling asleep between two frames, where the system lets it.

A core with nothing to do goes to sleep, and takes time to come back: up to some 0.1 ms from the deep sleep of a real
one; on a virtual machine the host may have given the core to others by then, for many milliseconds. Linux wakes
up within what is asked for in ``/dev/cpu_dma_latency``, in microseconds, by whoever has it open (kernel documentation,
"PM Quality Of Service Interface"), as long as a driver of cpuidle chooses how deep cores sleep. It ends with the
process that asked, however that ends. Elsewhere, and where it is not permitted, things stay as they are, and the words
say so.
"""

from __future__ import annotations

import os
import struct
import sys
from pathlib import Path

REQUEST = Path("/dev/cpu_dma_latency")
IDLE_DRIVER = Path("/sys/devices/system/cpu/cpuidle/current_driver")
PROCESSORS = Path("/proc/cpuinfo")

_LIGHT_SLEEP_US = 2  # real cores may halt, from which they are back within that, and run cool
_NO_SLEEP_US = 0


class AwakeCores:
    """Asks that all cores stay awake, for as long as this object lives.

    Args:
        request: the system's file to ask in.
        idle_driver: its file with the name of what puts cores to sleep.
        processors: its file on what the cores are.

    Attributes:
        words: what was granted: ``"kept awake (...)"`` or ``"may sleep: ..."``.
    """

    def __init__(
        self, request: Path = REQUEST, idle_driver: Path = IDLE_DRIVER, processors: Path = PROCESSORS
    ) -> None:
        self._file: int | None = None
        if not sys.platform.startswith("linux"):
            self.words = f"may sleep: not tried on {sys.platform}"
            return
        if _told_by(idle_driver).strip() in ("", "none"):
            self.words = "may sleep: this system has no driver of cpuidle, which could be asked"
            return
        # a virtual core that only halts is the host's already
        within_us = _NO_SLEEP_US if "hypervisor" in _told_by(processors).split() else _LIGHT_SLEEP_US
        try:
            self._file = os.open(request, os.O_WRONLY | os.O_CLOEXEC)
            os.write(self._file, struct.pack("=i", within_us))
        except OSError as error:
            self.release()
            self.words = f"may sleep: {request}: {error.strerror}"
            return
        self.words = f"kept awake (back within {within_us} us)"

    def release(self) -> None:
        """Let them sleep."""
        if self._file is not None:
            os.close(self._file)
            self._file = None


def _told_by(file: Path) -> str:
    try:
        return file.read_text(encoding="utf-8", errors="replace")
    except OSError:  # a system that does not tell
        return ""
