"""The trials of one generation: what is to be shown next, and what must be shown again.

The queue is a function of its items and of the judgements given so far, in order. Resume gives it the
recorded judgements again and goes on from there.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from closedloop.loop.order import Item


@dataclass(frozen=True)
class QueuedTrial:
    """An item with its trial number and how often it was tried before."""

    trial: int
    item: Item
    attempt: int


class GenerationQueue:
    """Deals out trials and takes their judgements back.

    Args:
        items: the generation's images in the order of presentation.
        first_trial: number of its first trial.
        max_repeats: how often an item may be tried again after an invalid trial.
        attempts: how often items were tried before; none, if it is not given.
    """

    def __init__(
        self,
        items: Sequence[Item],
        first_trial: int,
        max_repeats: int,
        attempts: Mapping[Item, int] | None = None,
    ) -> None:
        tried = attempts or {}
        self._waiting: deque[tuple[Item, int]] = deque((item, tried.get(item, 0)) for item in items)
        self._in_flight: deque[QueuedTrial] = deque()
        self._next_trial = first_trial
        self._max_repeats = max_repeats
        self.given_up: list[Item] = []

    @property
    def next_trial(self) -> int:
        """Number that the next trial will have."""
        return self._next_trial

    @property
    def in_flight(self) -> Sequence[QueuedTrial]:
        """Trials dealt out and not judged yet, oldest first."""
        return self._in_flight

    @property
    def left(self) -> int:
        """Trials that are still to be shown or judged."""
        return len(self._waiting) + len(self._in_flight)

    def upcoming(self, count: int) -> list[Item]:
        """The next items, as far as they are known, without dealing them out."""
        return [item for item, _ in list(self._waiting)[:count]]

    def deal(self) -> QueuedTrial:
        """Take the next trial out, with a number of its own."""
        item, attempt = self._waiting.popleft()
        trial = QueuedTrial(self._next_trial, item, attempt)
        self._next_trial += 1
        self._in_flight.append(trial)
        return trial

    def judge(self, number: int, *, valid: bool) -> QueuedTrial:
        """Take the judgement of the oldest trial in flight; an invalid one is queued again, at the end.

        Raises:
            ValueError: trial ``number`` is not the oldest one, so its judgement would go to another image.
        """
        trial = self._in_flight.popleft()
        if trial.trial != number:
            raise ValueError(f"trial {number} was judged where trial {trial.trial} is the oldest in flight")
        if not valid:
            self.try_again(trial)
        return trial

    def try_again(self, trial: QueuedTrial) -> None:
        """Queue a trial's image once more, unless it was tried often enough."""
        if trial.attempt < self._max_repeats:
            self._waiting.append((trial.item, trial.attempt + 1))
        else:
            self.given_up.append(trial.item)
