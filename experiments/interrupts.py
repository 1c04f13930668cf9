"""Ctrl-C, a request to terminate and a closed terminal as wishes, so that a session closes cleanly."""

from __future__ import annotations

import signal
from collections.abc import Sequence
from types import FrameType, TracebackType
from typing import Any

from closedloop.loop.commands import Command, CommandKind, Operator
from closedloop.loop.status import Status
from closedloop.ports import Clock
from experiments.console import err

# SIGHUP: the terminal was closed or ssh was lost; Windows has none
SIGNALS = tuple(getattr(signal, name) for name in ("SIGINT", "SIGTERM", "SIGHUP") if hasattr(signal, name))


class Interrupts:
    """Collects SIGINT, SIGTERM and SIGHUP instead of letting them break the program off.

    A context manager: inside it these signals raise nothing; they are told by ``poll``, once.

    Args:
        clock: stamps the signals.
    """

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._pending: list[Command] = []
        self._before: dict[int, Any] = {}

    def __enter__(self) -> Interrupts:
        self._before = {number: signal.signal(number, self._take) for number in SIGNALS}
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        for number, handler in self._before.items():
            signal.signal(number, handler)

    def poll(self) -> Sequence[Command]:
        """Return the signals since the last call, each as a wish to abort."""
        signals, self._pending = self._pending, []
        return signals

    def _take(self, number: int, _frame: FrameType | None) -> None:
        name = "Ctrl-C" if number == signal.SIGINT else signal.Signals(number).name
        self._pending.append(Command(CommandKind.ABORT, self._clock.now(), "signal", name))
        err.print(f"{name}: the session is being closed and its report written; please wait")


class Interruptible:
    """An operator who is also heard through signals."""

    def __init__(self, operator: Operator, interrupts: Interrupts) -> None:
        self._operator = operator
        self._interrupts = interrupts

    def poll(self) -> Sequence[Command]:
        """Return what was asked for since the last call."""
        return [*self._interrupts.poll(), *self._operator.poll()]

    def window_key(self, key: str, time_s: float) -> None:
        """Take a key that was pressed in the stage's window."""
        self._operator.window_key(key, time_s)

    def show(self, status: Status) -> None:
        """Show how the session stands."""
        self._operator.show(status)
