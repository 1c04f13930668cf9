"""Heeds the person at the scanner's console, and logs each wish."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterable

from closedloop.loop.commands import Command, CommandKind
from closedloop.ports import Clock, KeyPress
from closedloop.scan.key_names import key_name
from closedloop.scan.status import ScanOperator
from closedloop.session import SessionStore

log = logging.getLogger(__name__)


class ScanDirector:
    """Keeps what the person at the console has asked for.

    Attributes:
        paused: nothing new is shown.
        go: the next run is to be armed.
        repeat: the last run is to be armed once more.
        abort_run: why this run is to end now, or None.
        end: why the session is to end after this run, or None.
        abort: why the session is to end now, or None.

    Args:
        operator: the person.
        store: the session file, where each wish is logged.
        clock: of the session.
        subject_keys: keys of the subject and the scanner, which are never the operator's.
        on_subject_key: told of those that were pressed in the stimulus window.
    """

    def __init__(
        self,
        operator: ScanOperator,
        store: SessionStore,
        clock: Clock,
        subject_keys: Iterable[str],
        on_subject_key: Callable[[KeyPress], None],
    ) -> None:
        self._operator = operator
        self._store = store
        self._clock = clock
        self._subject_keys = {key_name(key) for key in subject_keys}
        self._on_subject_key = on_subject_key
        self.paused = False
        self.go = False
        self.repeat = False
        self.abort_run: str | None = None
        self.end: str | None = None
        self.abort: str | None = None

    @property
    def present(self) -> bool:
        """Whether anybody is at the console."""
        return self._operator.present

    def window_key(self, press: KeyPress) -> None:
        """Take a key that was pressed in the stimulus window, or hand it on if it is the subject's or the scanner's."""
        if key_name(press.key) in self._subject_keys:
            self._on_subject_key(press)
        else:
            self._operator.window_key(press.key, press.time_s)

    def heed(self, *, in_run: bool) -> bool:
        """Take, log and obey what was asked for since the last call.

        Args:
            in_run: a run is armed or running, so that an abort is of the run.

        Returns:
            Whether pausing began or ended.
        """
        paused = self.paused
        for command in self._operator.poll():
            self._store.add_event(
                command.kind.value,
                command.time_s,
                where=command.where,
                **({"text": command.text} if command.text else {}),
            )
            said = f": {command.text}" if command.text else ""
            log.info("%s, from the %s%s", command.kind.value, command.where, said)
            self._obey(command, in_run)
        return paused != self.paused

    def pause(self, why: str) -> None:
        """Pause as the protocol's policy wants it; the person resumes."""
        if not self.paused:
            self._store.add_event(CommandKind.PAUSE.value, self._clock.now(), where="policy", text=why)
            log.warning("paused: %s", why)
            self.paused = True

    def begin(self) -> None:
        """A run is armed: what was asked for before belongs to the past."""
        self.paused = self.go = self.repeat = False
        self.abort_run = None

    def _obey(self, command: Command, in_run: bool) -> None:
        kind = command.kind
        if kind is CommandKind.ABORT:
            words = f"by the person at the console ({command.text or command.where})"
            self.abort_run = words
            if not in_run or command.where == "signal":
                self.abort = words
        elif kind is CommandKind.END:
            self.end = f"ended by the person at the console ({command.where})"
        elif kind is CommandKind.GO:
            self.go = not in_run
        elif kind is CommandKind.REPEAT:
            self.repeat = not in_run
        elif kind in (CommandKind.PAUSE, CommandKind.RESUME):
            self.paused = in_run and kind is CommandKind.PAUSE
