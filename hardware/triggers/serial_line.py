"""A modem line of a serial port, to which some trigger boxes are wired."""

from __future__ import annotations

from typing import Any, Literal

from hardware.triggers.serial_bytes import open_port


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

    def open(self) -> None:
        """Open the port."""
        self._serial = open_port(self._port, 9600)  # no byte is read, so the speed is of no account

    def high(self) -> bool:
        """Return whether the line is active."""
        return bool(getattr(self._serial, self._line))

    def close(self) -> None:
        """Close the port."""
        self._serial.close()
