"""The person at the rig, as the loop sees them: keys in, progress out."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import ExitStack
from types import TracebackType

from rich.console import Console

from closedloop.loop.commands import Command
from closedloop.loop.status import Status
from closedloop.ports import Clock
from experiments.console import err
from experiments.keys import Keys
from experiments.progress import Progress
from experiments.terminal import ReadKeys, typed_keys


class TerminalOperator:
    """Implements ``closedloop.loop.commands.Operator`` with the terminal and the stage's window.

    A context manager: the terminal gives single keys inside of it, and is as before after it.

    Args:
        clock: the session's clock, which stamps the keys of the terminal.
        console: where progress is shown.
    """

    def __init__(self, clock: Clock, console: Console = err) -> None:
        self._clock = clock
        self._keys = Keys()
        self._progress = Progress(console, prompt=lambda: self._keys.prompt(clock.now()))
        self._read: ReadKeys = lambda: ""
        self._pending: list[Command] = []
        self._resources = ExitStack()

    def __enter__(self) -> TerminalOperator:
        with ExitStack() as entering:
            self._read = entering.enter_context(typed_keys())
            entering.enter_context(self._progress)
            self._resources = entering.pop_all()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._read = lambda: ""
        self._resources.__exit__(kind, error, trace)

    def poll(self) -> Sequence[Command]:
        """Return what was asked for since the last call."""
        for key in self._read():
            self._press(key, self._clock.now(), "terminal")
        commands, self._pending = self._pending, []
        return commands

    def window_key(self, key: str, time_s: float) -> None:
        """Take a key that was pressed in the stage's window."""
        self._press(key, time_s, "window")

    def show(self, status: Status) -> None:
        """Show how the session stands."""
        self._progress.update(status)

    def _press(self, key: str, time_s: float, where: str) -> None:
        command = self._keys.press(key, time_s, where)
        if command is not None:
            self._pending.append(command)
