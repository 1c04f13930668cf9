"""The subject's keys out of the stimulus window, where nothing else hears the keyboard."""

from __future__ import annotations

from collections.abc import Sequence

from closedloop.ports import KeyPress
from closedloop.scan.key_names import key_name
from closedloop.scan.ports import ButtonPress, TriggerEvent, TriggerInfo, TriggerSource


class WindowButtons:
    """A trigger that is already open, together with the keys that its reader leaves to the window.

    It is a ``TriggerSource`` itself, so that a press counts, and is recorded, as any other.

    Args:
        trigger: opened.
        info: what it said of itself; its ``window_keys`` are taken, and no others, as those are heard already.
        period_s: seconds per frame; the window looks for keys once in each.
    """

    def __init__(self, trigger: TriggerSource, info: TriggerInfo, period_s: float) -> None:
        self._trigger = trigger
        self._info = info
        self._period_s = period_s
        self._keys = {key_name(key): key for key in info.window_keys}
        self._pressed: list[ButtonPress] = []

    def press(self, press: KeyPress) -> None:
        """Take a key of the subject's that was pressed in the window; one that is heard elsewhere is left out."""
        key = self._keys.get(key_name(press.key))
        if key is not None:
            self._pressed.append(ButtonPress(key, press.time_s, self._period_s, press.time_s))

    def open(self) -> TriggerInfo:
        """Return what the trigger said when it was opened."""
        return self._info

    @property
    def heard_until_s(self) -> float:
        """Up to when all that came in at the trigger has been returned."""
        return self._trigger.heard_until_s

    def poll(self) -> Sequence[TriggerEvent]:
        """Return what came in since the last call, the window's keys first; never blocks."""
        heard = self._trigger.poll()
        if not self._pressed:
            return heard
        pressed, self._pressed = self._pressed, []
        return [*pressed, *heard]

    def close(self) -> None:
        """Close the trigger."""
        self._trigger.close()
