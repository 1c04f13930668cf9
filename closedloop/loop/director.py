"""Heeds the person at the rig, and logs each wish."""

from __future__ import annotations

import logging

from closedloop.loop.commands import Command, CommandKind, Operator
from closedloop.loop.screen import Screen
from closedloop.ports import Clock, KeyPress
from closedloop.session import SessionStore

log = logging.getLogger(__name__)


class Director:
    """Keeps what the person at the rig has asked for.

    Attributes:
        paused: nothing new is shown.
        ending: why the session is to end after this generation, or None.
        aborting: why it is to end now, or None.
    """

    def __init__(self, operator: Operator, store: SessionStore, clock: Clock) -> None:
        self._operator = operator
        self._store = store
        self._clock = clock
        self.paused = False
        self.ending: str | None = None
        self.aborting: str | None = None

    def window_key(self, press: KeyPress) -> None:
        """Take a key that was pressed in the stimulus window."""
        self._operator.window_key(press.key, press.time_s)

    def heed(self, screen: Screen) -> None:
        """Take, log and obey what was asked for since the last call."""
        for command in self._operator.poll():
            self._store.add_event(
                command.kind.value,
                command.time_s,
                where=command.where,
                **({"text": command.text} if command.text else {}),
            )
            said = f": {command.text}" if command.text else ""
            log.info("%s, from the %s%s", command.kind.value, command.where, said)
            self._obey(command, screen)

    def _obey(self, command: Command, screen: Screen) -> None:
        kind = command.kind
        if kind is CommandKind.ABORT:
            self.aborting = f"aborted by the person at the rig ({command.text or command.where})"
        elif kind is CommandKind.END:
            self.ending = f"ended after this generation by the person at the rig ({command.where})"
        elif kind in (CommandKind.PAUSE, CommandKind.RESUME):
            pause = kind is CommandKind.PAUSE
            if pause != self.paused:
                self.paused = pause
                screen.mark("pause" if pause else "resume", self._clock.now())
