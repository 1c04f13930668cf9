"""The scanner's pulses and the subject's buttons: readers for each path, and a simulated one.

Importing this package opens no device and brings no driver's library: only the trigger's own process does.
"""

from __future__ import annotations

from collections.abc import Sequence

from closedloop.protocol.sections.scan import Scanner
from closedloop.scan.ports import TriggerSource
from hardware.triggers.button_words import button_words
from hardware.triggers.proxy import TriggerReader
from hardware.triggers.pulse_words import pulse_words
from hardware.triggers.simulated import SimulatedTrigger

__all__ = ["SimulatedTrigger", "TriggerReader", "button_words", "open_trigger", "pulse_words"]


def open_trigger(
    scanner: Scanner, response_keys: Sequence[str] = (), *, wait_s: float = 20.0
) -> TriggerSource:
    """Return the trigger that a protocol asks for; its ``open`` starts it.

    Args:
        scanner: the protocol's section.
        response_keys: names of the subject's keys, which come as ``ButtonPress``.
        wait_s: how long an LSL stream is looked for.
    """
    return TriggerReader(scanner.trigger, response_keys, wait_s=wait_s)
