"""What the person at the rig can ask of a running session."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from enum import Enum
from typing import Protocol

from closedloop.loop.status import Status


class CommandKind(str, Enum):
    """A wish of the person at the rig."""

    PAUSE = "pause"
    RESUME = "resume"
    END = "end"
    ABORT = "abort"
    NOTE = "note"
    GO = "go"  # scans: arm the next run
    REPEAT = "repeat"  # scans: arm the last run once more


@dataclass(frozen=True)
class Command:
    """One wish, when and where it was uttered (``"terminal"``, ``"window"``, ``"signal"``)."""

    kind: CommandKind
    time_s: float
    where: str
    text: str = ""


class Operator(Protocol):
    """The person at the rig: says what they want, sees how it goes."""

    def poll(self) -> Sequence[Command]:
        """Return what was asked for since the last call."""
        ...

    def window_key(self, key: str, time_s: float) -> None:
        """Take a key that was pressed in the stage's window."""
        ...

    def show(self, status: Status) -> None:
        """Show how the session stands; called often, must return at once."""
        ...
