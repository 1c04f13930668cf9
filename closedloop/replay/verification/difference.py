"""What a verification finds."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from enum import IntEnum

import numpy as np


class Check(IntEnum):
    """What is compared, in the order in which a generation comes to be."""

    REFERENCES = 0
    CODES = 1
    IMAGES = 2
    TRIALS = 3
    SAMPLES = 4
    RESPONSES = 5
    SCORES = 6

    @property
    def label(self) -> str:
        """The check in words."""
        return {
            Check.REFERENCES: "references",
            Check.CODES: "codes and parents",
            Check.IMAGES: "images",
            Check.TRIALS: "trial order, numbers, frames",
            Check.SAMPLES: "samples without a hole",
            Check.RESPONSES: "responses",
            Check.SCORES: "scores",
        }[self]


@dataclass(frozen=True)
class Difference:
    """One place where the record is not what the replay gives.

    Attributes:
        check: what was compared.
        what: a word or two: ``code``, ``image byte``, ``rate``, ``value``, ``score``, ``trial order``, ...
        detail: recorded against replayed, in words.
        generation: None for what belongs to no generation.
        thread: name of the thread, if it is one thread's.
        row: in the population, if it is one code's.
        trial: its number, if it is one trial's.
        run: of the trial.
        image: its number, if it is one image's.
    """

    check: Check
    what: str
    detail: str
    generation: int | None = None
    thread: str | None = None
    row: int | None = None
    trial: int | None = None
    run: int | None = None
    image: int | None = None

    @property
    def place(self) -> str:
        """Where it is, in words."""
        named = (
            ("generation", self.generation),
            ("thread", self.thread),
            ("row", self.row),
            ("run", self.run or None),
            ("trial", self.trial),
            ("image", self.image),
        )
        return ", ".join(f"{name} {value}" for name, value in named if value is not None) or "the session"

    @property
    def order(self) -> tuple[int, int, int, int]:
        """Sorts differences as the session went on."""
        generation = -1 if self.generation is None else self.generation
        return generation, int(self.check), self.trial or 0, self.row or 0

    def __str__(self) -> str:
        return f"{self.place}: {self.what}: {self.detail}"


@dataclass(frozen=True)
class Rounding:
    """How far numbers lay apart that differ in their last bits only.

    Attributes:
        count: images or trials.
        largest: for images in levels of 255, for rates relative.
    """

    count: int = 0
    largest: float = 0.0

    def with_one(self, size: float) -> Rounding:
        """Return it with one more."""
        return Rounding(self.count + 1, max(self.largest, size))


@dataclass
class Verification:
    """What was compared, and what came of it.

    Attributes:
        compared: how many things each check has compared.
        differences: what was not equal.
        image_rounding: images that are equal but for the last bit of some bytes.
        rate_rounding: trials whose rates are equal but for the last bits.
        notes: what else must be known, in sentences.
    """

    compared: dict[Check, int] = field(default_factory=lambda: dict.fromkeys(Check, 0))
    differences: list[Difference] = field(default_factory=list)
    image_rounding: Rounding = Rounding()
    rate_rounding: Rounding = Rounding()
    notes: list[str] = field(default_factory=list)

    @property
    def first(self) -> Difference | None:
        """The first difference in the order of the session; None if all is equal."""
        return min(self.differences, key=lambda one: one.order, default=None)

    def count(self, check: Check, n: int = 1) -> None:
        """Take note that so many things more were compared."""
        self.compared[check] += n

    def of(self, check: Check) -> Sequence[Difference]:
        """The differences of one check."""
        return [one for one in self.differences if one.check is check]


def numbers_apart(
    recorded: np.ndarray[tuple[int, ...], np.dtype[np.float64]],
    replayed: np.ndarray[tuple[int, ...], np.dtype[np.float64]],
) -> float:
    """Return the largest relative distance of two arrays: 0 if equal, infinite if they can't be compared."""
    if recorded.shape != replayed.shape:
        return float("inf")
    if np.array_equal(recorded, replayed, equal_nan=True):
        return 0.0
    if not np.array_equal(np.isfinite(recorded), np.isfinite(replayed)):
        return float("inf")
    known = np.isfinite(recorded)
    scale = np.maximum(np.maximum(np.abs(recorded[known]), np.abs(replayed[known])), 1.0)
    return float(np.max(np.abs(recorded[known] - replayed[known]) / scale, initial=0.0))
