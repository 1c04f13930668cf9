"""Several ears at once, each in a thread of its own, with one voice."""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence
from dataclasses import replace

from closedloop.scan.ports import TriggerInfo
from hardware.lsl.messages import Heartbeat
from hardware.triggers.ear import BUTTONS, LACKING, Ear, Emit, Listened
from hardware.triggers.listening import Listening

_ENDING_S = 1.0


class Hearing:
    """Opens ears and lets them hear.

    Args:
        ears: the trigger's first.
        emit: takes what they hear, from any of their threads.
        listened: takes when the trigger's path was looked at, and up to when everything on it has been handed over.
        fail: takes the error of one that can't go on.
        response_keys: the subject's, which are left to the window where no ear hears a keyboard.
    """

    def __init__(
        self,
        ears: Sequence[Ear],
        emit: Emit,
        listened: Callable[[Heartbeat], None],
        fail: Callable[[Exception], None],
        response_keys: Sequence[str] = (),
    ) -> None:
        self._ears, self._emit, self._listened, self._fail = ears, emit, listened, fail
        self._response_keys = tuple(response_keys)
        self._closing = threading.Event()
        self._threads: list[threading.Thread] = []

    def open(self) -> TriggerInfo:
        """Open all and begin to hear (blocks); the buttons' own path is among the details.

        Raises:
            TriggerError: one of them can't be opened.
        """
        first, *others = [ear.open() for ear in self._ears]
        for ear in self._ears:
            # pulses come by the first alone, and only what it has listened to tells that there were none
            listened = Listening(self._listened).nothing_waits if ear is self._ears[0] else _unasked
            thread = threading.Thread(
                target=self._hear, args=(ear, listened), name="trigger-ear", daemon=True
            )
            thread.start()
            self._threads.append(thread)
        if not others:
            return first if first.path == "keyboard" else replace(first, window_keys=self._response_keys)
        buttons = others[0]
        said = {
            "path": buttons.path,
            "device": buttons.device,
            "uncertainty_s": buttons.uncertainty_s,
            LACKING: buttons.details[LACKING],
        }
        return replace(first, details={**first.details, BUTTONS: said})

    def close(self) -> None:
        """End all threads (blocks for a moment)."""
        self._closing.set()
        for thread in self._threads:
            thread.join(_ENDING_S)

    def _hear(self, ear: Ear, listened: Listened) -> None:
        try:
            ear.hear(self._emit, self._closing, listened)
        except Exception as error:  # noqa: BLE001 - the last line of this thread: whatever it was must be heard of
            self._fail(error)


def _unasked(_at_s: float) -> None:
    """Nobody asks up to when the buttons have been listened to."""
