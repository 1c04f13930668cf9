"""The person at the scanner's console, as a scan session sees them: keys in, progress out."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from contextlib import ExitStack
from types import TracebackType

from rich.console import Console

from closedloop.loop.commands import Command
from closedloop.ports import Clock
from closedloop.scan.status import ScanState, ScanStatus
from experiments.console import err
from experiments.interrupts import Interrupts
from experiments.scan_keys import ScanKeys
from experiments.scan_progress import ScanProgress
from experiments.terminal import ReadKeys, typed_keys


class ScanTerminal:
    """Implements ``closedloop.scan.status.ScanOperator`` with terminal, stimulus window and signals.

    A context manager: the terminal gives single keys inside of it, and is as before after it.

    Args:
        clock: the session's clock, which stamps the keys of the terminal.
        interrupts: Ctrl-C and the like.
        subject_keys: keys of the subject and the scanner: where the terminal has the keyboard they are typed
            into it as well, and mean nothing here.
        not_in_notes: those of them that are left out of notes, too, which costs the person their characters.
        console: where progress is shown.
    """

    def __init__(
        self,
        clock: Clock,
        interrupts: Interrupts,
        subject_keys: frozenset[str],
        not_in_notes: frozenset[str] = frozenset(),
        console: Console = err,
    ) -> None:
        self._clock = clock
        self._interrupts = interrupts
        self._subject_keys, self._not_in_notes = subject_keys, not_in_notes
        self._keys = ScanKeys()
        self._progress = ScanProgress(console, prompt=self._prompt)
        self._read: ReadKeys = lambda: ""
        self._pending: list[Command] = []
        self._resources = ExitStack()

    def __enter__(self) -> ScanTerminal:
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

    @property
    def present(self) -> bool:
        """Whether anybody is there: whether standard input is a terminal."""
        try:
            return sys.stdin is not None and sys.stdin.isatty()
        except ValueError:  # closed
            return False

    def poll(self) -> Sequence[Command]:
        """Return what was asked for since the last call."""
        for key in self._read():
            if key not in (self._not_in_notes if self._keys.writing else self._subject_keys):
                self._press(key, self._clock.now(), "terminal")
        commands, self._pending = self._pending, []
        return [*self._interrupts.poll(), *commands]

    def window_key(self, key: str, time_s: float) -> None:
        """Take a key that was pressed in the stage's window."""
        self._press(key, time_s, "window")

    def show(self, status: ScanStatus) -> None:
        """Show how the session stands."""
        self._keys.paused_is(status.state is ScanState.PAUSED)
        self._progress.update(status)

    def _prompt(self) -> str:
        words = self._keys.prompt(self._clock.now())
        if not (self._keys.writing and self._not_in_notes):
            return words
        return f"{words} (without {', '.join(sorted(self._not_in_notes))}, which the scanner's box types)"

    def _press(self, key: str, time_s: float, where: str) -> None:
        command = self._keys.press(key, time_s, where)
        if command is not None:
            self._pending.append(command)
