"""Puts stand-ins for the records of runs that are lost, at the day and time when they were."""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta, timezone
from typing import cast

from closedloop.session.salvage.work import Rows, dicts, listed, put

_UNKNOWN = datetime(1970, 1, 1, tzinfo=timezone.utc)
_APART_S = 1.0
_ENOUGH = 2

# Tables whose rows name their run, and the columns that tell when they were written.
_NAMING: Mapping[str, Sequence[str]] = {
    "trials": ("ordered_s", "judged_s"),
    "streams": (),
    "chunks": ("written_s",),
    "clock_probes": ("time_s",),
    "stream_states": ("time_s",),
    "markers": ("time_s",),
    "events": ("time_s",),
    "scans": ("armed_s", "ended_s"),
    "pulses": ("received_s",),
    "presses": ("received_s",),
}


@dataclass
class _Records:
    """What is left of a run beside its own row: how many rows, and the times in them, ``local_clock`` seconds."""

    rows: int = 0
    times_s: list[float] = field(default_factory=list)


@dataclass(frozen=True)
class _Span:
    """A run whose wall clock is known: its first and last moment, ``local_clock`` seconds."""

    first_s: float
    last_s: float
    first_utc: datetime

    def at(self, time_s: float) -> datetime:
        return _shifted(self.first_utc, time_s - self.first_s)


def mend_runs(tables: Rows) -> list[str]:
    """Put a stand-in for each run that other rows name and that is not there; say what is missing."""
    missing: list[str] = []
    named = _named(tables)
    known = set(tables["runs"].column("run"))
    # one row more or less: a wrong number in a damaged row does not make a run
    for run, records in sorted(named.items()):
        if run in known or records.rows < _ENOUGH or not records.times_s:
            continue
        first_s, last_s = min(records.times_s), max(records.times_s)
        put(
            tables["runs"],
            run=run,
            started_s=first_s,
            started_utc=_began(tables, named, run, first_s, last_s).isoformat(timespec="milliseconds"),
            reason="the record of this run was lost and replaced in a salvage",
            environment="{}",
        )
        known.add(run)
        missing.append(f"the record of run {run} (a stand-in begins with the first that is left of it)")
    numbers = {int(run) for run in known if isinstance(run, int)}
    gone = set(range(max(numbers, default=-1) + 1)) - numbers
    if gone:
        missing.append(f"{listed('run', gone)}, of which hardly anything is left")
    return missing


def _named(tables: Rows) -> dict[int, _Records]:
    """Return what all tables but that of the runs have of each run."""
    found: defaultdict[int, _Records] = defaultdict(_Records)
    for name, columns in _NAMING.items():
        table = tables[name]
        of_run, of_times = table.index("run"), [table.index(column) for column in columns]
        for row in table.rows.values():
            records = found[cast("int", row[of_run])]
            records.rows += 1
            times = (row[at] for at in of_times)
            records.times_s += [
                time for time in times if isinstance(time, (int, float)) and math.isfinite(time)
            ]
    return found


def _began(tables: Rows, named: Mapping[int, _Records], run: int, first_s: float, last_s: float) -> datetime:
    """Return the wall clock at the first that is left of a lost run: by its own events, or by the runs beside it."""
    for event in sorted(dicts(tables["events"]), key=lambda row: float(row["time_s"])):
        utc = _utc(event["utc"])
        if event["run"] == run and utc is not None:
            return _shifted(utc, first_s - event["time_s"])
    spans = _spans(tables, named)
    before = [number for number in spans if number < run]
    if before:
        earlier = spans[max(before)]
        if first_s >= earlier.last_s:  # one clock, as far as it can be told
            return earlier.at(first_s)
        return _shifted(earlier.at(earlier.last_s), _APART_S)
    after = [number for number in spans if number > run]
    if after:
        later = spans[min(after)]
        if last_s <= later.first_s:
            return later.at(first_s)
        return _shifted(later.first_utc, first_s - last_s - _APART_S)
    return _UNKNOWN


def _spans(tables: Rows, named: Mapping[int, _Records]) -> dict[int, _Span]:
    """Return the runs whose wall clock is known."""
    found = {}
    for row in dicts(tables["runs"]):
        utc = _utc(row["started_utc"])
        if utc is None:
            continue
        last_s = row["ended_s"]
        if last_s is None:
            own = named.get(row["run"], _Records()).times_s
            last_s = max([row["started_s"], *own])
        found[row["run"]] = _Span(row["started_s"], last_s, utc)
    return found


def _shifted(when: datetime, seconds: float) -> datetime:
    """Return another time; the same if the distance is damaged and makes no sense."""
    try:
        return when + timedelta(seconds=seconds)
    except (OverflowError, ValueError):
        return when


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
