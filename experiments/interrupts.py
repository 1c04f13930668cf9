"""Ctrl-C and a request to terminate as wishes of the person at the rig, so that a session closes cleanly."""

from __future__ import annotations

import signal
from collections.abc import Sequence
from types import FrameType, TracebackType
from typing import Any

from closedloop.loop.commands import Command, CommandKind, Operator
from closedloop.loop.status import Status
from closedloop.ports import Clock
from experiments.console import err


class Interruptible:
    """An operator whose Ctrl-C aborts in good order.

    A context manager: inside it SIGINT and SIGTERM raise nothing. They are told once, by ``poll``.

    Args:
        operator: who is heard besides.
        clock: stamps the signals.
    """

    def __init__(self, operator: Operator, clock: Clock) -> None:
        self._operator = operator
        self._clock = clock
        self._pending: list[Command] = []
        self._before: dict[int, Any] = {}

    def __enter__(self) -> Interruptible:
        self._before = {
            number: signal.signal(number, self._take) for number in (signal.SIGINT, signal.SIGTERM)
        }
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        for number, handler in self._before.items():
            signal.signal(number, handler)

    def poll(self) -> Sequence[Command]:
        """Return what was asked for since the last call."""
        signals, self._pending = self._pending, []
        return [*signals, *self._operator.poll()]

    def window_key(self, key: str, time_s: float) -> None:
        """Take a key that was pressed in the stage's window."""
        self._operator.window_key(key, time_s)

    def show(self, status: Status) -> None:
        """Show how the session stands."""
        self._operator.show(status)

    def _take(self, number: int, _frame: FrameType | None) -> None:
        name = "Ctrl-C" if number == signal.SIGINT else signal.Signals(number).name
        self._pending.append(Command(CommandKind.ABORT, self._clock.now(), "signal", name))
        err.print(f"{name}: closing the session; the report follows")
