"""A serial port that is none: the other end of a pseudo-terminal, with bytes for pulses (Linux, macOS)."""

from __future__ import annotations

import os
import select
import sys
from collections.abc import Callable
from pathlib import Path

import pylsl

from closedloop.errors import TriggerError
from hardware.scanner.output import Sent

_STEP_MS = 50  # how long it may be deaf to a signal


class PseudoSerialOutput:
    """Writes bytes where another program opens a serial port.

    Args:
        byte: what a pulse is.
        link: a symbolic link that is put to the device; it is taken away again.
    """

    def __init__(self, byte: int, link: Path | None = None) -> None:
        self._byte, self._link = bytes([byte]), link
        self.device = ""

    def open(self) -> str:
        """Make the pair of ends."""
        if sys.platform == "win32":
            raise TriggerError(
                "simulated scanner, serial",
                found="Windows, which has no pseudo-terminals",
                expected="Linux or macOS",
                remedy="Join two ports of a virtual null-modem driver, or use --path lsl.",
            )
        import tty

        # the far end stays open here as well, so that it stays in being between two readers
        self._near, self._far = os.openpty()
        tty.setraw(self._far)
        # else a full buffer would hold up the scanner while nobody reads
        os.set_blocking(self._near, False)
        self.device = os.ttyname(self._far)
        if self._link is not None:
            self._point(self._link)
        return str(self._link or self.device)

    def down(self, key: str | None, number: int | None = None) -> Sent:
        """Write the byte."""
        del number  # one byte has no room for it
        data = self._byte if key is None else key.encode("ascii", "replace")[:1]
        before_s = pylsl.local_clock()
        try:
            os.write(self._near, data)
        except BlockingIOError:
            # as on a real line, what nobody reads is lost
            return Sent(before_s, pylsl.local_clock())
        return Sent(before_s, pylsl.local_clock())

    def up(self, key: str | None) -> None:
        """Nothing is held."""

    def stay(self, stopped: Callable[[], bool]) -> None:
        """Stay while somebody has the port open: to them the end would be a plug that is pulled."""
        self._leave_far()
        hung_up = select.poll()
        hung_up.register(self._near, 0)
        while not stopped() and not hung_up.poll(_STEP_MS):
            continue

    def close(self) -> None:
        """Take the link away and close both ends."""
        if self._link is not None and self._link.is_symlink():
            self._link.unlink()
        self._leave_far()
        os.close(self._near)

    def _leave_far(self) -> None:
        if self._far >= 0:
            os.close(self._far)
        self._far = -1

    def _point(self, link: Path) -> None:
        if link.is_symlink():
            link.unlink()  # left over by one that was killed
        try:
            link.symlink_to(self.device)
        except OSError as problem:
            raise TriggerError(
                f"--link {link}",
                found=str(problem),
                expected="a place for a new symbolic link",
                remedy="Choose another path; a file that is there is never replaced.",
            ) from problem
