"""What the verification of a scanner session finds."""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import IntEnum


class ScanCheck(IntEnum):
    """What is compared, in the order in which a session comes to be."""

    CODES = 0
    IMAGES = 1
    PLANS = 2
    PULSES = 3
    TRIALS = 4
    ANSWERS = 5

    @property
    def label(self) -> str:
        """The check in words."""
        return {
            ScanCheck.CODES: "codes of images",
            ScanCheck.IMAGES: "images",
            ScanCheck.PLANS: "planned events",
            ScanCheck.PULSES: "pulses and their verdicts",
            ScanCheck.TRIALS: "trials, frames, judgements",
            ScanCheck.ANSWERS: "presses and what they answer",
        }[self]


@dataclass(frozen=True)
class ScanDifference:
    """One place where the record is not what the replay gives.

    Attributes:
        check: what was compared.
        what: a word or two: ``image byte``, ``onset``, ``verdict``, ...
        detail: recorded against replayed, in words.
        scan: number of the scan run; None for what belongs to none.
        named: the run in words.
        number: of the event, pulse, trial, press or image.
    """

    check: ScanCheck
    what: str
    detail: str
    scan: int | None = None
    named: str = ""
    number: int | None = None

    @property
    def place(self) -> str:
        """Where it is, in words."""
        thing = {
            ScanCheck.CODES: "image",
            ScanCheck.IMAGES: "image",
            ScanCheck.PLANS: "event",
            ScanCheck.PULSES: "pulse",
            ScanCheck.TRIALS: "trial",
            ScanCheck.ANSWERS: "press",
        }[self.check]
        numbered = [] if self.number is None else [f"{thing} {self.number}"]
        return ", ".join([*([self.named] if self.named else []), *numbered]) or "the session"

    @property
    def order(self) -> tuple[int, int, int]:
        """Sorts differences as the session went on."""
        return -1 if self.scan is None else self.scan, int(self.check), self.number or 0

    def __str__(self) -> str:
        return f"{self.place}: {self.what}: {self.detail}"


@dataclass
class ScanVerification:
    """What was compared, and what came of it.

    Attributes:
        compared: how many things each check has compared.
        differences: what was not equal.
        rounded: images that are equal but for the last bit of some bytes.
        notes: what else must be known, in sentences.
    """

    compared: dict[ScanCheck, int] = field(default_factory=lambda: dict.fromkeys(ScanCheck, 0))
    differences: list[ScanDifference] = field(default_factory=list)
    rounded: int = 0
    notes: list[str] = field(default_factory=list)

    @property
    def first(self) -> ScanDifference | None:
        """The first difference in the order of the session; None if all is equal."""
        return min(self.differences, key=lambda one: one.order, default=None)

    def count(self, check: ScanCheck, n: int = 1) -> None:
        """Take note that so many things more were compared."""
        self.compared[check] += n

    def of(self, check: ScanCheck) -> list[ScanDifference]:
        """The differences of one check."""
        return [one for one in self.differences if one.check is check]
