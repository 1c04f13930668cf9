"""What a check found, and whether a session may begin on it."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from enum import Enum

from closedloop.errors import CheckError, ClosedLoopError


class Verdict(str, Enum):
    """Whether what was found is fit for a session."""

    OK = "ok"
    BAD = "bad"
    UNKNOWN = "unknown"


@dataclass(frozen=True)
class Finding:
    """One thing that was measured.

    Attributes:
        name: what was measured.
        value: the number, or the words; None where nothing could be found out.
        unit: of the number; empty for words.
        verdict: whether it is fit.
        expected: what is fit, in words.
        remedy: what to do where it is not.
        required: whether a session is refused unless the verdict is ``OK``.
    """

    name: str
    value: float | str | None
    unit: str
    verdict: Verdict
    expected: str
    remedy: str = ""
    required: bool = True

    @property
    def text(self) -> str:
        """The value with its unit."""
        if self.value is None:
            return "not known"
        if isinstance(self.value, str):
            return self.value
        return f"{self.value:.4g} {self.unit}".strip()

    @property
    def refuses(self) -> bool:
        """Whether no session may begin because of it."""
        return self.required and self.verdict is not Verdict.OK


def at_most(
    name: str, value: float, limit: float, unit: str, remedy: str, *, required: bool = True
) -> Finding:
    """Return the finding for a number that must not be above its limit; NaN is unknown."""
    verdict = Verdict.OK if value <= limit else Verdict.UNKNOWN if math.isnan(value) else Verdict.BAD
    return Finding(name, value, unit, verdict, f"at most {limit:g} {unit}", remedy, required)


def told(name: str, value: float | str, unit: str = "") -> Finding:
    """Return a finding that is only told: any value of it is fit."""
    return Finding(name, value, unit, Verdict.OK, "any", required=False)


def measured(
    name: str, measure: Callable[[], Sequence[Finding]], *, required: bool = True
) -> Sequence[Finding]:
    """Return what a measurement finds; if it can't be made, that is a finding, too."""
    try:
        return measure()
    except ClosedLoopError as error:
        return [
            Finding(
                name,
                error.found,
                "",
                Verdict.UNKNOWN,
                error.expected,
                error.remedy,
                required,
            )
        ]


def require_good(findings: Iterable[Finding]) -> None:
    """Refuse a session unless all that it requires is known and good.

    Raises:
        CheckError: names what is not.
    """
    refusing = [finding for finding in findings if finding.refuses]
    if not refusing:
        return
    raise CheckError(
        "check",
        found="; ".join(f"{finding.name}: {finding.text} ({finding.verdict.value})" for finding in refusing),
        expected="; ".join(f"{finding.name}: {finding.expected}" for finding in refusing),
        remedy=" ".join(dict.fromkeys(finding.remedy for finding in refusing if finding.remedy)),
    )
