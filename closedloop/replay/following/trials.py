"""Which recorded trial answers for a trial that is shown now."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TypeAlias

Showing: TypeAlias = tuple[str, int, int]


@dataclass(frozen=True)
class LiveTrial:
    """A trial of the session that runs, as its marker ``stimulus_on`` tells it.

    Attributes:
        thread: name of the thread.
        onset_s: this machine's ``local_clock``.
    """

    trial: int
    thread: str
    generation: int
    image: int
    onset_s: float


@dataclass(frozen=True)
class RecordedTrial:
    """A valid trial of the recorded session.

    Attributes:
        thread: name of the thread.
        onset_s: ``local_clock`` of its run.
        judged_s: when it was judged.
        next_s: onset of the trial after it in its run, whether that one counted or not; inf for none.
    """

    trial: int
    run: int
    thread: str
    generation: int
    image: int
    onset_s: float
    judged_s: float
    next_s: float


class TrialMap:
    """Gives each recorded answer to one trial of the same image in the same generation of the same thread.

    Two sessions of one protocol and one seed show the same images, but not always under the same trial
    numbers: a missed frame in either makes one show an image again. The trial of the same number goes
    first; otherwise the first one that was not given yet. When all were given, one must have been lost to
    a trial that did not count: they are given once more, in order.

    Args:
        trials: valid recorded trials, in the order in which they were shown.
    """

    def __init__(self, trials: Sequence[RecordedTrial]) -> None:
        self._of: dict[Showing, list[RecordedTrial]] = {}
        for trial in trials:
            self._of.setdefault((trial.thread, trial.generation, trial.image), []).append(trial)
        self._given: dict[int, RecordedTrial] = {}  # by number of the live trial
        self._left: dict[Showing, list[RecordedTrial]] = {}

    def answer(self, live: LiveTrial) -> RecordedTrial | None:
        """Return the recorded trial for a live one; None if the recording has none for its image."""
        key = (live.thread, live.generation, live.image)
        known = self._given.get(live.trial)
        if known is not None and (known.thread, known.generation, known.image) == key:
            return known  # the trial that was cut off when the session crashed is shown again
        recorded = self._of.get(key)
        if recorded is None:
            return None
        left = self._left.setdefault(key, list(recorded))
        if not left:
            left.extend(recorded)
        chosen = next((trial for trial in left if trial.trial == live.trial), left[0])
        left.remove(chosen)
        self._given[live.trial] = chosen
        return chosen

    def take_back(self, live: LiveTrial) -> None:
        """Hear that the answer could not be played: the next trial of that image shall have it."""
        chosen = self._given.pop(live.trial, None)
        if chosen is not None:
            self._left[chosen.thread, chosen.generation, chosen.image].insert(0, chosen)
