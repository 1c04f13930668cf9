"""Which ears hear what a protocol asks for."""

from __future__ import annotations

import os
import sys

from hardware.triggers.ear import Ear
from hardware.triggers.messages import Start


def ears_for(start: Start) -> list[Ear]:
    """Return the trigger's ear first, and after it one for the subject's keys, where they come another way.

    Keys are heard on the keyboard in any case, as button boxes are mostly keyboards, wherever the trigger is
    wired to; names that are no keys may be on the trigger's own path. Where keys can't be heard so (no X11), the
    trigger's path alone is, and ``TriggerInfo.window_keys`` will say so.
    """
    trigger, keys = start.trigger, start.response_keys
    if trigger.path == "keyboard":
        from hardware.triggers.keyboard import KeyboardEar

        return [KeyboardEar(trigger.key, keys)]
    wired = _wired(start)
    if keys and sys.platform.startswith("linux") and os.environ.get("DISPLAY"):
        from hardware.triggers.keyboard import KeyboardEar, can_hear

        if can_hear():
            return [wired, KeyboardEar(None, keys, elsewhere=wired.keys)]
    return [wired]


def _wired(start: Start) -> Ear:
    trigger, keys = start.trigger, start.response_keys
    if trigger.path == "lsl":
        from hardware.triggers.lsl import LslEar

        assert trigger.stream is not None  # noqa: S101 - the protocol's model sees to it
        return LslEar(trigger.stream, trigger.marker, keys, start.wait_s, trigger.numbered_from)
    assert trigger.port is not None  # noqa: S101 - the protocol's model sees to it
    if trigger.path == "parallel":
        from hardware.triggers.edges import EdgeEar
        from hardware.triggers.parallel import ParallelPin

        return EdgeEar(ParallelPin(trigger.port, trigger.pin), trigger.poll_hz)
    if trigger.line is not None:
        from hardware.triggers.edges import EdgeEar
        from hardware.triggers.serial_line import SerialLine

        return EdgeEar(SerialLine(trigger.port, trigger.line), trigger.poll_hz)
    from hardware.triggers.serial_bytes import SerialBytesEar

    return SerialBytesEar(trigger.port, trigger.baud, trigger.byte, keys)
