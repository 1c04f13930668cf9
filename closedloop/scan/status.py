"""How a scan session stands, for whoever shows it, and the person who is shown it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from enum import Enum
from typing import Protocol

from closedloop.loop.commands import Command


class ScanState(str, Enum):
    """What a scan session is doing."""

    BETWEEN = "between runs"
    ARMED = "waiting for the scanner"
    RUNNING = "run"
    PAUSED = "paused"


@dataclass(frozen=True)
class ScanStatus:
    """A momentary view of a scan session.

    Attributes:
        label: of the run, as in the protocol.
        place: of the run among those of the session, from 1.
        runs: how many there are.
        attempt: how often this run was armed before.
        state: what is being done.
        volume: stored volumes seen so far in this run, without dummies.
        volumes: expected.
        dummies_left: volumes to come before the first stored one.
        tr_s: fitted; None before there is a fit.
        tr_nominal_s: of the protocol.
        run_s: since the run's start; None before it.
        duration_s: planned.
        next_event: what is shown next, in words; empty at the end.
        finding: the last one, in plain words; empty without any.
        missed_frames: in this run.
        trials_shown: in this run.
        trials_invalid: of these.
        presses: of the subject's buttons, in this run.
        answered: events that asked for an answer and have one, and how many asked until now.
        message: what is being waited for, or what happened, in plain words.
        simulated: the scanner is simulated.
    """

    label: str
    place: int
    runs: int
    attempt: int
    state: ScanState
    volume: int
    volumes: int
    dummies_left: int
    tr_s: float | None
    tr_nominal_s: float
    run_s: float | None
    duration_s: float
    next_event: str
    finding: str
    missed_frames: int
    trials_shown: int
    trials_invalid: int
    presses: int
    answered: tuple[int, int]
    message: str
    simulated: bool


class ScanOperator(Protocol):
    """The person at the console: says what they want, sees how it goes."""

    @property
    def present(self) -> bool:
        """Whether anybody is there; without anybody runs follow each other by themselves."""
        ...

    def poll(self) -> Sequence[Command]:
        """Return what was asked for since the last call."""
        ...

    def window_key(self, key: str, time_s: float) -> None:
        """Take a key that was pressed in the stage's window."""
        ...

    def show(self, status: ScanStatus) -> None:
        """Show how the session stands; called often, must return at once."""
        ...
