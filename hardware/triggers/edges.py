"""Rising edges of a line that can only be looked at: found between two looks."""

from __future__ import annotations

import threading
import time
from typing import Protocol

import pylsl

from closedloop.errors import TriggerError
from closedloop.scan.ports import Pulse, TriggerInfo
from hardware.triggers.ear import Emit, Listened, hurry, measure_wake_up


class Line(Protocol):
    """One electrical line. All that knows the device is in here, so that a test can put another in its place."""

    name: str
    path: str

    def open(self) -> None:
        """Open the device.

        Raises:
            TriggerError: it is not there or may not be used.
        """
        ...

    def high(self) -> bool:
        """Return whether the line is active now.

        Raises:
            OSError: the device is gone.
        """
        ...

    def changes(self) -> int | None:
        """Return how often the line has changed, where the driver counts that; None where it does not."""
        ...

    def close(self) -> None:
        """Close the device."""
        ...


class EdgeFinder:
    """Takes looks at a line and tells the rising edges among them.

    Args:
        mark: what the pulses are called.
    """

    def __init__(self, mark: str) -> None:
        self._mark = mark
        self._high = True  # a line that is active from the start has not risen
        self._since_s: float | None = None
        self._changes: int | None = None

    def look(self, before_s: float, after_s: float, high: bool, changes: int | None = None) -> Pulse | None:
        """Take a look that was made between two instants; return the pulse that it shows, if any.

        Args:
            before_s: the first instant.
            after_s: the second one.
            high: whether the line was active.
            changes: how often it had changed just before it was looked at, if anybody counts. A single change
                may be that of the last look, counted late; two are a pulse that came and went, or went and came.
        """
        earliest_s = before_s if self._since_s is None else self._since_s
        unseen = (changes or 0) - (self._changes or 0) if self._changes is not None else 0
        rose = (high and not self._high) or (high == self._high and unseen >= 2)
        self._since_s, self._high, self._changes = before_s, high, changes
        if not rose:
            return None
        return Pulse(
            (earliest_s + after_s) / 2, (after_s - earliest_s) / 2, float("nan"), after_s, self._mark
        )


class EdgeEar:
    """Looks at a line ``poll_hz`` times a second.

    An edge lies between two looks, and its uncertainty is half of what is between them, as it really was. A
    pulse shorter than that is missed unless the driver counts changes, so the rate must suit the scanner's pulses.

    Args:
        line: what is looked at.
        poll_hz: how often.
    """

    def __init__(self, line: Line, poll_hz: float) -> None:
        self._line, self._period_s = line, 1 / poll_hz

    @property
    def keys(self) -> frozenset[str]:
        """None: a single wire tells no keys apart."""
        return frozenset()

    def open(self) -> TriggerInfo:
        """Open the device."""
        self._line.open()
        wake_up_s, priority = measure_wake_up()
        return TriggerInfo(
            path=self._line.path,
            device=self._line.name,
            resolution_s=self._period_s,
            uncertainty_s=(self._period_s + wake_up_s) / 2,
            details={
                "stamp": "the middle between the looks before and after the edge",
                "poll_hz": 1 / self._period_s,
                "wake_up_s": wake_up_s,
                "priority": priority,
            },
        )

    def hear(self, emit: Emit, closing: threading.Event, listened: Listened) -> None:
        """Look until told to end."""
        hurry()
        finder = EdgeFinder(self._line.name)
        due_s = time.monotonic()
        try:
            while not closing.is_set():
                before_s = pylsl.local_clock()
                changes = self._line.changes()
                high = self._line.high()
                pulse = finder.look(before_s, pylsl.local_clock(), high, changes)
                if pulse is not None:
                    emit(pulse)
                listened(before_s)
                due_s = max(due_s + self._period_s, time.monotonic())
                time.sleep(max(0.0, due_s - time.monotonic()))
            self._line.close()
        except OSError as problem:
            raise TriggerError(
                self._line.name,
                found=f"a line that can't be read any more ({problem})",
                expected="the device that was opened",
                remedy="Plug it in again and resume.",
            ) from problem
