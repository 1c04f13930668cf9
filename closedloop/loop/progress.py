"""Keeps count of how the session stands, for whoever shows it."""

from __future__ import annotations

import math
from collections.abc import Sequence

from closedloop.loop.commands import Operator
from closedloop.loop.ears import Ears
from closedloop.loop.history import History
from closedloop.loop.judge import Accepted, Rejected
from closedloop.loop.screen import Screen
from closedloop.loop.status import Status
from closedloop.ports import Clock
from closedloop.protocol.models import Protocol


class ProgressKeeper:
    """Counts trials and tells the operator, a few times a second.

    Args:
        operator: who is told.
        clock: the one clock.
        protocol: for how much there is to do.
    """

    INTERVAL_S = 0.25

    def __init__(self, operator: Operator, clock: Clock, protocol: Protocol) -> None:
        self._operator = operator
        self._clock = clock
        self._generations = protocol.limits.generations
        self._per_generation = 0  # the most trials seen left: known when the first generation began
        self._started_s = clock.now()
        self._next_s = self._started_s
        self._valid = 0
        self._invalid = 0
        self._before = (0, 0)  # valid and invalid trials of earlier runs
        self._last_trouble = ""
        self._evolved: list[float] = []
        self._reference: list[float] = []

    @property
    def invalid(self) -> int:
        """Invalid trials of the whole session."""
        return self._invalid + self._before[1]

    def go_on_from(self, history: History) -> None:
        """Take trials and generations of earlier runs of this session."""
        self._before = (history.valid, history.invalid)
        for generation in history.complete:
            self.scored(
                [bred.mean_evolved for bred in generation], [bred.mean_reference for bred in generation]
            )

    def judged(self, verdict: Accepted | Rejected) -> None:
        """A trial was judged."""
        if isinstance(verdict, Accepted):
            self._valid += 1
            self._last_trouble = ""
        else:
            self._invalid += 1
            self._last_trouble = f"last invalid trial: {verdict.detail}"

    def scored(self, mean_scores: Sequence[float], reference_scores: Sequence[float]) -> None:
        """A generation was scored: the mean of each thread, NaN for none."""
        self._evolved.append(_mean(mean_scores))
        self._reference.append(_mean(reference_scores))

    def show(self, generation: int, left: int, paused: bool, ears: Ears, screen: Screen) -> None:
        """Tell the operator, if it is time."""
        now = self._clock.now()
        if now < self._next_s:
            return
        self._next_s = now + self.INTERVAL_S
        done = self._valid + self._invalid
        self._per_generation = max(self._per_generation, left)
        elapsed_s = now - self._started_s
        to_go = left + (self._generations - generation - 1) * self._per_generation
        response = ears.streams["response"].doubts.state
        self._operator.show(
            Status(
                generation=generation,
                generations=self._generations,
                trials_done=done + sum(self._before),
                trials_valid=self._valid + self._before[0],
                trials_invalid=self.invalid,
                trials_left_in_generation=left,
                mean_score=_last(self._evolved),
                reference_score=_last(self._reference),
                stream_state=response.value if response else "not heard yet",
                missed_frames=screen.missed_frames,
                paused=paused,
                elapsed_s=elapsed_s,
                remaining_s=elapsed_s / done * to_go if done >= 5 else None,
                evolved_curve=tuple(self._evolved),
                reference_curve=tuple(self._reference),
                message=self._message(paused, ears),
            )
        )

    def _message(self, paused: bool, ears: Ears) -> str:
        if paused:
            return "paused: press p to go on"
        if not ears.live:
            return f"waiting: {ears.trouble}"
        return self._last_trouble


def _mean(values: Sequence[float]) -> float:
    known = [value for value in values if not math.isnan(value)]
    return sum(known) / len(known) if known else math.nan


def _last(curve: Sequence[float]) -> float | None:
    return curve[-1] if curve and not math.isnan(curve[-1]) else None
