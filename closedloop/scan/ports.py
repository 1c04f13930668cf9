"""The trigger port: how the pulses of a scanner, and the subject's buttons, come in.

``hardware.triggers`` implements it for each path (keyboard, serial, parallel, LSL), and the scanner simulator
drives the same paths from the other end. All times are LSL ``local_clock`` seconds unless said otherwise.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol, TypeAlias


@dataclass(frozen=True)
class TriggerInfo:
    """A trigger as it presents itself once it is open.

    Attributes:
        path: ``"keyboard"``, ``"serial"``, ``"parallel"`` or ``"lsl"``.
        device: what was opened, in words: ``"X display :1, key 5"``, ``"/dev/ttyUSB0 at 115200 baud"``.
        resolution_s: the smallest difference of two stamps.
        uncertainty_s: by how much a stamp may be off, as the path and the machine allow.
        details: versions, what the stamp is made of, ...
        window_keys: keys of the subject that nothing here hears on a keyboard, so that they count only if whoever
            owns the stimulus window takes them there; empty where the keyboard is heard.
    """

    path: str
    device: str
    resolution_s: float
    uncertainty_s: float
    details: Mapping[str, Any] = field(default_factory=dict)
    window_keys: tuple[str, ...] = ()


@dataclass(frozen=True)
class Pulse:
    """Something on the trigger's path that looks like a pulse of the scanner.

    Attributes:
        time_s: when it was, as well as it can be told.
        uncertainty_s: of ``time_s``.
        raw_s: the stamp that the device or driver gave it, in its own clock; NaN if it gives none.
        received_s: when the reader had it in hand.
        mark: what came: ``"5"``, ``"0x35"``, ``"pin 10"``, ``"volume"``.
    """

    time_s: float
    uncertainty_s: float
    raw_s: float
    received_s: float
    mark: str


@dataclass(frozen=True)
class ButtonPress:
    """A key of the subject's button box, which is never the trigger's.

    Attributes:
        key: its name, ``"1"``.
        time_s, uncertainty_s, received_s: as of ``Pulse``.
    """

    key: str
    time_s: float
    uncertainty_s: float
    received_s: float


@dataclass(frozen=True)
class TriggerDied:
    """The reader of the trigger is gone: the process died, the plug was pulled."""

    reason: str
    time_s: float


@dataclass(frozen=True)
class TriggerNotice:
    """The reader goes on, but a person must know of something: its stream is lost, found again, or refused.

    Attributes:
        words: a plain sentence, and what can be done.
        time_s: when it was noticed.
    """

    words: str
    time_s: float


TriggerEvent: TypeAlias = Pulse | ButtonPress | TriggerNotice | TriggerDied


class TriggerSource(Protocol):
    """Hears pulses and buttons in a reader of its own, so that nothing else delays a stamp."""

    def open(self) -> TriggerInfo:
        """Start to listen (blocks up to some seconds).

        Raises:
            TriggerError: no such device, no right to it, or not what the protocol says.
        """
        ...

    @property
    def heard_until_s(self) -> float:
        """Up to when all that came in has been returned, as of the last ``poll``; from ``open`` on.

        Absence is known of this time alone: a reader that was held up hands over late what came in time.
        """
        ...

    def poll(self) -> Sequence[TriggerEvent]:
        """Return what came in since the last call, in order of arrival; never blocks."""
        ...

    def close(self) -> None:
        """Stop to listen (blocks briefly). Safe to call twice."""
        ...
