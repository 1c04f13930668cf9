"""The faults that the simulated subject can show on request, as one line of text each."""

from __future__ import annotations

from dataclasses import dataclass

from closedloop.errors import ClosedLoopError

FAULTS = {
    "drop": "the stream is gone for a time, then back under the same source id",
    "restart": "as if the sender were started anew: the stream ends and begins at once (a time: after it)",
    "hang": "nothing is sent for a time, then all of it late; the connection stays",
    "gap": "the samples of a time are lost; the connection stays",
    "nan": "values are NaN for a time (not for spikes, whose type has none)",
    "fixbreak": "the subject looks away for a time",
    "dead": "one unit is silent for a time: dead SECONDS UNIT",
    "quit": "the subject ends, as if asked to by SIGTERM",
}
_DEFAULT_S = {"restart": 0.0, "quit": 0.0}


@dataclass(frozen=True)
class Fault:
    """One fault.

    Attributes:
        kind: one of ``FAULTS``.
        duration_s: how long.
        unit: for ``dead``.
        at_s: seconds after the subject is ready; None: now.
    """

    kind: str
    duration_s: float = 1.0
    unit: int = 0
    at_s: float | None = None


class FaultSyntaxError(ClosedLoopError):
    """A request for a fault that can't be understood."""

    exit_code = 2


def parse_fault(text: str) -> Fault:
    """Read ``KIND [SECONDS [UNIT]] [@AT]``, for example ``drop 1.5``, ``dead 2 3`` or ``gap 1 @12.5``.

    Raises:
        FaultSyntaxError: anything else.
    """
    words = text.split()
    try:
        at_s = _not_negative(words.pop()[1:]) if len(words) > 1 and words[-1].startswith("@") else None
        kind, *rest = words
        if kind not in FAULTS or len(rest) > (2 if kind == "dead" else 1):
            raise ValueError(kind)
        duration_s = _not_negative(rest[0]) if rest else _DEFAULT_S.get(kind, 1.0)
        unit = int(rest[1]) if len(rest) > 1 else 0
        if unit < 0:
            raise ValueError(unit)
    except ValueError as error:
        raise FaultSyntaxError(
            f"fault {text!r}",
            found="something that can't be understood",
            expected="KIND [SECONDS [UNIT]] [@AT], KIND being one of " + ", ".join(FAULTS),
            remedy="For example: drop 1.5, dead 2 3, gap 1 @12.5",
        ) from error
    return Fault(kind, duration_s, unit, at_s)


def _not_negative(word: str) -> float:
    value = float(word)
    if not 0 <= value < float("inf"):
        raise ValueError(word)
    return value
