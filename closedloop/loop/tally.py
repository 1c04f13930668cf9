"""The values that the images of one generation have earned so far."""

from __future__ import annotations

from collections import defaultdict


class Tally:
    """Collects the values of valid trials, image by image."""

    def __init__(self) -> None:
        self._values: defaultdict[int, list[float]] = defaultdict(list)

    def add(self, image: int, value: float) -> None:
        """Take the value of one valid trial of an image."""
        self._values[image].append(value)

    def of(self, image: int) -> list[float]:
        """Return the values of an image, in the order of its trials."""
        return list(self._values[image])
