"""A modem line of a serial port, to which some trigger boxes are wired."""

from __future__ import annotations

import array
import sys
from typing import Any, Literal

from hardware.triggers.serial_bytes import open_port

# linux/serial.h: TIOCGICOUNT fills a serial_icounter_struct, which begins with cts, dsr, rng, dcd. Of the ring
# indicator one edge alone makes an interrupt, so its count tells less than is needed here.
_READ_COUNTS, _COUNTS = 0x545D, 20
_PLACES = {"cts": 0, "dsr": 1, "cd": 3}


class SerialLine:
    """One of the four lines that come in.

    Args:
        port: the device.
        line: which.
    """

    path = "serial"

    def __init__(self, port: str, line: Literal["cts", "dsr", "ri", "cd"]) -> None:
        self.name = f"{port}, line {line}"
        self._port, self._line = port, line
        self._serial: Any = None
        self._counted = sys.platform.startswith("linux") and line in _PLACES

    def open(self) -> None:
        """Open the port."""
        self._serial = open_port(self._port, 9600)  # no byte is read, so the speed is of no account

    def high(self) -> bool:
        """Return whether the line is active."""
        return bool(getattr(self._serial, self._line))

    def changes(self) -> int | None:
        """Return how often the driver's interrupt has seen the line change; None where it does not count."""
        if not self._counted:
            return None
        import fcntl

        counts = array.array("i", [0] * _COUNTS)
        try:
            fcntl.ioctl(self._serial.fileno(), _READ_COUNTS, counts)
        except OSError:  # some drivers know no counts
            self._counted = False
            return None
        return counts[_PLACES[self._line]]

    def close(self) -> None:
        """Close the port."""
        self._serial.close()
