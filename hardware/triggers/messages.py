"""What passes between the engine and the trigger's process, in the framing of ``hardware.lsl.messages``."""

from __future__ import annotations

from dataclasses import dataclass

from closedloop.protocol.sections.scan import Trigger
from closedloop.scan.ports import TriggerInfo


@dataclass(frozen=True)
class Start:
    """To the child, first of all: what to hear.

    Attributes:
        trigger: the protocol's section.
        response_keys: names of the subject's keys.
        wait_s: how long an LSL stream is looked for.
    """

    trigger: Trigger
    response_keys: tuple[str, ...]
    wait_s: float


@dataclass(frozen=True)
class Opened:
    """From the child: it listens."""

    info: TriggerInfo
