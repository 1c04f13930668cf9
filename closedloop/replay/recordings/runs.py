"""Puts the runs of a resumed session onto one time.

Within one boot of the machine ``local_clock`` goes on from run to run. After a restart of the machine it
begins anew, and only the wall clock tells how long the session lay still.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

_SAME_CLOCK_S = 10.0  # the wall clock may have been corrected by so much between two runs of one boot
_APART_S = 1.0
UNRECORDED = (float("nan"), "")
"""``started_s`` and ``started_utc`` of a run whose record is lost."""


@dataclass(frozen=True)
class Run:
    """One run of a session.

    Attributes:
        run: its number.
        started_s: ``local_clock`` at its start; NaN if its record is lost.
        started_utc: the wall clock at that moment, ISO 8601; empty if its record is lost.
        first_s: ``local_clock`` of its first sample, marker or pulse.
        last_s: of its last one.
    """

    run: int
    started_s: float
    started_utc: str
    first_s: float
    last_s: float


def shifts(runs: Sequence[Run]) -> tuple[dict[int, float], list[str]]:
    """Return what to add to each run's times, and what there is to say about it.

    Args:
        runs: in order; those without samples, markers and pulses need not be there.
    """
    shift_s: dict[int, float] = {}
    notes: list[str] = []
    first: Run | None = None
    by_s = 0.0
    end_s = float("-inf")
    for run in runs:
        if not run.started_utc:
            # where the run before it is: most runs follow each other within one boot
            notes.append(
                f"the record of run {run.run} is lost; it is played as if the machine had not restarted"
            )
        elif first is None:
            first = run
        else:
            passed_s = _utc_s(run) - _utc_s(first)
            by_clock_s = run.started_s - first.started_s
            by_s = shift_s[first.run]
            if abs(passed_s - by_clock_s) >= _SAME_CLOCK_S:
                by_s += passed_s - by_clock_s
                notes.append(f"run {run.run} began on another clock; it is placed by the wall clock")
        if run.first_s + by_s < end_s:
            by_s = end_s + _APART_S - run.first_s
            notes.append(
                f"the clocks don't tell how long after run {run.run - 1} run {run.run} began: "
                f"it is played {_APART_S:g} s after it"
            )
        shift_s[run.run] = by_s
        end_s = run.last_s + by_s
    return shift_s, notes


def _utc_s(run: Run) -> float:
    # Python 3.10 does not know the Z that others write for UTC
    return datetime.fromisoformat(run.started_utc.replace("Z", "+00:00")).timestamp()
