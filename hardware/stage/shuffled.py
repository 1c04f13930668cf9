"""A deliberate control: a stage that shows another picture than the one it was given."""

from __future__ import annotations

from collections import deque
from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from closedloop.ports import DisplayReport, FixationChange, Pixels, Showing, Stage, StageEvent

RECENT = 80
"""Images that may be shown instead: about two generations."""


class ShuffledStage:
    """Shows one of the recent images in place of each, and does everything else as the stage within.

    An evolution on it hears answers to pictures that have nothing to do with its codes, so it must not
    rise; if it does, the rise does not come from the subject. The first image ever, having no other,
    is shown itself.

    Args:
        inner: the stage that shows.
        seed: of the choice of images.
    """

    def __init__(self, inner: Stage, seed: int) -> None:
        self._inner = inner
        self._seed = seed
        self._rng = np.random.Generator(np.random.PCG64(np.random.SeedSequence(seed)))
        self._recent: deque[Pixels] = deque(maxlen=RECENT)

    @property
    def slots(self) -> int:
        """How many images can be loaded at once."""
        return self._inner.slots

    def open(self) -> DisplayReport:
        """Open the stage within; the report names the control."""
        report = self._inner.open()
        control = f"shuffled images (seed {self._seed}): each trial shows another image than its own"
        return replace(report, details={**report.details, "control": control})

    def load(self, slot: int, image: Pixels) -> None:
        """Load one of the recent images instead."""
        others = [other for other in self._recent if not np.array_equal(other, image)]
        if len(others) == len(self._recent):  # not there yet
            self._recent.append(image.copy())
        self._inner.load(slot, others[int(self._rng.integers(len(others)))] if others else image)

    def show(self, order: Showing) -> None:
        """Queue a trial."""
        self._inner.show(order)

    def fixate(self, change: FixationChange) -> None:
        """Queue a change of the fixation point's colour."""
        self._inner.fixate(change)

    def message(self, text: str | None) -> None:
        """Show words to the subject, or take them away."""
        self._inner.message(text)

    def clear(self) -> None:
        """Drop queued trials that have not come on yet."""
        self._inner.clear()

    def cut(self) -> None:
        """Drop queued trials, and take the one that is on off the screen."""
        self._inner.cut()

    def poll(self) -> Sequence[StageEvent]:
        """Return what happened since the last call, in order."""
        return self._inner.poll()

    def close(self) -> None:
        """Close the stage within."""
        self._inner.close()
