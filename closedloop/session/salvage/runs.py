"""Puts stand-ins for the records of runs that are lost, at the day and time when they were."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta, timezone
from typing import Any

from closedloop.session.salvage.work import Rows, dicts, put

_UNKNOWN = datetime(1970, 1, 1, tzinfo=timezone.utc)
_APART_S = 1.0


@dataclass(frozen=True)
class _Span:
    """A run whose wall clock is known: its first and last moment, ``local_clock`` seconds."""

    first_s: float
    last_s: float
    first_utc: datetime

    def at(self, time_s: float) -> datetime:
        return self.first_utc + timedelta(seconds=time_s - self.first_s)


def mend_runs(tables: Rows) -> list[str]:
    """Put a stand-in for each run that trials name and that is not there; say what is missing."""
    missing = []
    trials = dicts(tables["trials"])
    runs = {row["run"] for row in trials}
    known = set(tables["runs"].column("run"))
    # one row more or less: a wrong number in a damaged row does not make a run
    for run in sorted(run for run in runs - known if sum(row["run"] == run for row in trials) > 1):
        first_s, last_s = _times_of(run, trials)
        put(
            tables["runs"],
            run=run,
            started_s=first_s,
            started_utc=_began(tables, trials, run, first_s, last_s).isoformat(timespec="milliseconds"),
            reason="the record of this run was lost and replaced in a salvage",
            environment="{}",
        )
        missing.append(f"the record of run {run} (a stand-in begins with its first trial)")
    return missing


def _times_of(run: int, trials: Iterable[dict[str, Any]]) -> tuple[float, float]:
    own = [row for row in trials if row["run"] == run]
    ordered = [row["ordered_s"] for row in own]
    return min(ordered), max([*ordered, *(row["judged_s"] for row in own if row["judged_s"] is not None)])


def _began(tables: Rows, trials: list[dict[str, Any]], run: int, first_s: float, last_s: float) -> datetime:
    """Return the wall clock at a lost run's first trial: by its own events, or by the runs beside it."""
    for event in sorted(dicts(tables["events"]), key=lambda row: float(row["time_s"])):
        utc = _utc(event["utc"])
        if event["run"] == run and utc is not None:
            return utc + timedelta(seconds=first_s - event["time_s"])
    spans = _spans(tables, trials)
    before = [number for number in spans if number < run]
    if before:
        earlier = spans[max(before)]
        if first_s >= earlier.last_s:  # one clock, as far as it can be told
            return earlier.at(first_s)
        return earlier.at(earlier.last_s) + timedelta(seconds=_APART_S)
    after = [number for number in spans if number > run]
    if after:
        later = spans[min(after)]
        if last_s <= later.first_s:
            return later.at(first_s)
        return later.first_utc - timedelta(seconds=last_s - first_s + _APART_S)
    return _UNKNOWN


def _spans(tables: Rows, trials: list[dict[str, Any]]) -> dict[int, _Span]:
    """Return the runs whose wall clock is known."""
    found = {}
    for row in dicts(tables["runs"]):
        utc = _utc(row["started_utc"])
        if utc is None:
            continue
        last_s = row["ended_s"]
        if last_s is None:
            own = any(trial["run"] == row["run"] for trial in trials)
            last_s = _times_of(row["run"], trials)[1] if own else row["started_s"]
        found[row["run"]] = _Span(row["started_s"], last_s, utc)
    return found


def _utc(text: object) -> datetime | None:
    """Return a wall clock's time, or None if it is damaged or that of a stand-in that nothing could place."""
    try:
        # Python 3.10 does not know the Z that others write for UTC
        when = datetime.fromisoformat(str(text).replace("Z", "+00:00"))
    except ValueError:
        return None
    if when.tzinfo is None:
        when = when.replace(tzinfo=timezone.utc)
    return when if when.year > _UNKNOWN.year else None
