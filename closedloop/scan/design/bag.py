"""Images drawn without laying any back, until all were shown; then anew."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np

from closedloop.references import choose


class Bag:
    """Images of one condition, handed out in drawn order.

    Args:
        names: of the images, at least one.
        rng: draws the order.
    """

    def __init__(self, names: Sequence[str], rng: np.random.Generator) -> None:
        self._names = list(names)
        self._rng = rng
        self._left: list[str] = []
        self._last: str | None = None

    def take(self) -> str:
        """Return the next image, never the one before where there is another."""
        if not self._left:
            self._left = [self._names[i] for i in self._rng.permutation(len(self._names))]
            if len(self._left) > 1 and self._left[-1] == self._last:
                self._left[0], self._left[-1] = self._left[-1], self._left[0]
        self._last = self._left.pop()
        return self._last


def images_of_run(
    names: Mapping[str, Sequence[str]], per_condition: int | None, rng: np.random.Generator, run: int
) -> dict[str, list[str]]:
    """Return which images of each condition a run shows.

    Args:
        names: images of each condition.
        per_condition: how many; None: all.
        rng: seeded alike for every run, so that the runs take turns.
        run: number of the run.
    """
    chosen: dict[str, list[str]] = {}
    for condition, images in names.items():
        count = len(images) if per_condition is None else per_condition
        chosen[condition] = [images[i] for i in sorted(choose(len(images), count, rng, run))]
    return chosen
