"""What the keys of the person at the rig mean."""

from __future__ import annotations

from closedloop.loop.commands import Command, CommandKind

ABORT_WITHIN_S = 3.0
HELP_LINE = "keys: p pause/resume · e end after this generation · a abort (twice) · n note"

_ENTER = ("\r", "\n")
_BACKSPACE = ("\x7f", "\x08")
_ESCAPE = "\x1b"
# names that the stage's window gives to keys which the terminal gives as characters
_NAMED = {
    "return": "\r",
    "enter": "\r",
    "num_enter": "\r",
    "backspace": "\x7f",
    "escape": _ESCAPE,
    "space": " ",
    "period": ".",
    "comma": ",",
    "minus": "-",
    "slash": "/",
    "apostrophe": "'",
    "semicolon": ";",
    "equal": "=",
}


class Keys:
    """Turns pressed keys into commands; remembers a half-written note and a first press of abort.

    Attributes:
        help_line: what the keys do, in words.
    """

    help_line = HELP_LINE

    def __init__(self) -> None:
        self._paused = False
        self._abort_until_s = float("-inf")
        self._note: str | None = None

    @property
    def writing(self) -> bool:
        """Whether a note is being written, so that keys are its letters."""
        return self._note is not None

    def press(self, key: str, time_s: float, where: str) -> Command | None:
        """Take one key.

        Args:
            key: one character, or the name that the stage's window gives to the key.
            time_s: when it was pressed, ``local_clock``.
            where: ``"terminal"`` or ``"window"``.

        Returns:
            The command that is complete with this key, if there is one.
        """
        key = _NAMED.get(key, key)
        if len(key) != 1:
            return None  # shift, arrows and other keys without a meaning here
        if self._note is not None:
            return self._write(key, time_s, where)
        return self._choose(key.lower(), time_s, where)

    def prompt(self, now_s: float) -> str:
        """Return the line to show: the note being written, the question about aborting, or the keys' help."""
        if self._note is not None:
            return f"note (Enter keeps it, Esc drops it): {self._note}_"
        if now_s <= self._abort_until_s:
            return f"abort? press a again within {ABORT_WITHIN_S:g} s"
        return self.help_line

    def _choose(self, key: str, time_s: float, where: str) -> Command | None:
        if key == "p":
            self._paused = not self._paused
            return Command(CommandKind.PAUSE if self._paused else CommandKind.RESUME, time_s, where)
        if key == "e":
            return Command(CommandKind.END, time_s, where)
        if key == "n":
            self._note = ""
        elif key == "a":
            if time_s <= self._abort_until_s:
                self._abort_until_s = float("-inf")
                return Command(CommandKind.ABORT, time_s, where)
            self._abort_until_s = time_s + ABORT_WITHIN_S
        return None

    def _write(self, key: str, time_s: float, where: str) -> Command | None:
        text = self._note or ""
        if key in _ENTER:
            self._note = None
            return Command(CommandKind.NOTE, time_s, where, text.strip()) if text.strip() else None
        if key == _ESCAPE:
            self._note = None
        elif key in _BACKSPACE:
            self._note = text[:-1]
        elif key.isprintable():
            self._note = text + key
        return None
