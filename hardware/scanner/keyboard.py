"""Presses keys through the X server's test extension (XTEST), as a scanner's key box would."""

from __future__ import annotations

import os
from collections.abc import Callable
from typing import Any

import pylsl

from closedloop.errors import TriggerError
from hardware.scanner.output import Sent
from hardware.triggers.xkeys import keycodes


class KeyboardOutput:
    """Keys of an X display.

    Args:
        key: the trigger's.
        display: for example ``":1"``; None takes ``DISPLAY``.
    """

    def __init__(self, key: str, display: str | None = None) -> None:
        self._key, self._name = key, display
        self._codes: dict[str, int] = {}

    def open(self) -> str:
        """Connect."""
        from Xlib import display, error
        from Xlib.ext import xtest

        name = self._name or os.environ.get("DISPLAY", "")
        try:
            self._display: Any = display.Display(self._name)
        except (error.DisplayError, error.XError, OSError) as problem:
            raise _refused(name, f"no X server ({problem})") from problem
        if xtest.extname not in self._display.list_extensions():
            raise _refused(name, "an X server without the test extension")
        return f"keyboard of X display {name}, key {self._key}, code {self._code(None)}"

    def down(self, key: str | None, number: int | None = None) -> Sent:
        """Press a key; the server has taken it when this returns."""
        from Xlib import X

        del number  # all presses of a key are alike
        code = self._code(key)
        before_s = pylsl.local_clock()
        self._fake(X.KeyPress, code)
        return Sent(before_s, pylsl.local_clock())

    def up(self, key: str | None) -> None:
        """Release it."""
        from Xlib import X

        self._fake(X.KeyRelease, self._code(key))

    def stay(self, stopped: Callable[[], bool]) -> None:
        """Nobody knows whether it is there."""

    def close(self) -> None:
        """Close the connection."""
        self._display.close()

    def _fake(self, event: int, code: int) -> None:
        from Xlib import error
        from Xlib.ext import xtest

        try:
            xtest.fake_input(self._display, event, code)
            self._display.sync()
        except (error.ConnectionClosedError, OSError) as problem:
            raise _refused(self._name or "$DISPLAY", f"an X server that has gone ({problem})") from problem

    def _code(self, key: str | None) -> int:
        name = self._key if key is None else key
        if name not in self._codes:
            self._codes[name] = min(keycodes(self._display, name))
        return self._codes[name]


def _refused(name: str, found: str) -> TriggerError:
    return TriggerError(
        f"simulated scanner, display {name}",
        found=found,
        expected="the X display of the session",
        remedy="Set DISPLAY, or use --path serial or --path lsl.",
    )
