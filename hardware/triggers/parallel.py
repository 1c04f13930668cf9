"""A status pin of a parallel port, through Linux's ppdev driver."""

from __future__ import annotations

import array
import os
import sys

from closedloop.errors import TriggerError

# status register: bit of each pin, and whether the port turns it round (IEEE 1284; linux/parport.h)
_PINS = {10: (0x40, False), 11: (0x80, True), 12: (0x20, False), 13: (0x10, False), 15: (0x08, False)}
# linux/ppdev.h
_CLAIM, _RELEASE, _READ_STATUS = 0x708B, 0x708C, 0x80017081


class ParallelPin:
    """One of the five pins that come in.

    Args:
        port: the device, ``/dev/parport0``.
        pin: 10 (ACK), 11 (BUSY), 12 (PAPER OUT), 13 (SELECT) or 15 (ERROR).
    """

    path = "parallel"

    def __init__(self, port: str, pin: int) -> None:
        self.name = f"{port}, pin {pin}"
        self._port, self._pin = port, pin
        self._device = -1

    def open(self) -> None:
        """Open and claim the port."""
        if self._pin not in _PINS:
            raise TriggerError(
                f"parallel port {self._port}",
                found=f"pin {self._pin}",
                expected="a status pin: " + ", ".join(str(pin) for pin in _PINS),
                remedy="Correct the protocol's pin; ACK, where triggers are mostly wired to, is 10.",
            )
        self._bit, self._inverted = _PINS[self._pin]
        if not sys.platform.startswith("linux") or not self._port.startswith("/dev/"):
            raise self._refused(f"the port '{self._port}' on {sys.platform}")
        try:
            self._device = os.open(self._port, os.O_RDWR)
            self._ioctl(_CLAIM)
        except OSError as problem:
            raise self._refused(str(problem)) from problem

    def high(self) -> bool:
        """Return whether the pin is high."""
        status = array.array("B", [0])
        self._ioctl(_READ_STATUS, status)
        return bool(status[0] & self._bit) is not self._inverted

    def changes(self) -> int | None:
        """Nobody counts them."""
        return None

    def close(self) -> None:
        """Release and close the port."""
        self._ioctl(_RELEASE)
        os.close(self._device)

    def _ioctl(self, request: int, argument: array.array[int] | None = None) -> None:
        import fcntl  # where there is no Linux there is no fcntl either

        if argument is None:
            fcntl.ioctl(self._device, request)
        else:
            fcntl.ioctl(self._device, request, argument)

    def _refused(self, found: str) -> TriggerError:
        return TriggerError(
            f"parallel port {self._port}",
            found=found,
            expected="a port of Linux's ppdev driver, /dev/parport0",
            remedy="Load the driver (modprobe ppdev), let this user into the group 'lp', and stop CUPS if it holds "
            "the port; on other platforms use the trigger paths 'serial' or 'lsl'.",
        )
