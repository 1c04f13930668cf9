"""What the pulses tell of the scanner and of the line, and what the protocol wants done about it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal, TypeAlias, cast

from closedloop.protocol.sections.scan import Action, PulsePolicy

FindingKind: TypeAlias = Literal[
    "first",
    "missed",
    "extra",
    "doubled",
    "human",
    "tr_off",
    "drift",
    "stopped",
    "first_missed",
    "running",
]


@dataclass(frozen=True)
class RanBefore:
    """Pulses that came one after the other before a run was armed, until it was.

    Attributes:
        since_s: stamp of the first of them that was heard; there may have been more.
        last_s: stamp of the last.
        pulses: how many.
    """

    since_s: float
    last_s: float
    pulses: int


@dataclass(frozen=True)
class PulseFinding:
    """One thing that the pulses, or their absence, tell.

    Attributes:
        kind: what it is; all but ``first`` are fields of ``PulsePolicy``.
        time_s: when it became known: the stamp of the pulse that told it, or the time that had passed without one.
        words: for the operator, a plain sentence.
        count: how many pulses it is about; 0 takes an earlier finding of this kind back.
        pulse: number of the pulse that told it, in order of arrival; None if none did.
        volume: number of the volume that it is about, from 0 for the first pulse, dummies included.
        detail: figures, ready for JSON.
    """

    kind: FindingKind
    time_s: float
    words: str
    count: int = 1
    pulse: int | None = None
    volume: int | None = None
    detail: Mapping[str, Any] = field(default_factory=dict)

    def action(self, policy: PulsePolicy) -> Action:
        """Return what the protocol wants done; a finding taken back is only noted."""
        return action_of(policy, self.kind) if self.count else "note"


def action_of(policy: PulsePolicy, kind: FindingKind) -> Action:
    """Return what the protocol wants done about a kind of finding; the first pulse is only noted."""
    return "note" if kind == "first" else cast("Action", getattr(policy, kind) or "warn")
