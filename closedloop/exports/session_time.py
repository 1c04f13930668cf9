"""Times of a session counted from its start, over all its runs."""

from __future__ import annotations

import math
from collections.abc import Mapping
from datetime import datetime, timedelta, timezone
from typing import TypeVar

from closedloop.errors import SessionDamagedError
from closedloop.exports.columns import rows
from closedloop.session import SessionReader

_Key = TypeVar("_Key")

_SAME_CLOCK_S = 10.0  # the wall clock may have been corrected by so much between two runs of one boot
_YEAR_S = 365 * 86400.0  # a time that is further from a session's start is damaged


def zero_of_runs(reader: SessionReader) -> dict[int, float]:
    """Return what to take from each run's times to have seconds from the start of the first run.

    Within one boot of the machine ``local_clock`` goes on from run to run. After a restart it begins anew,
    and the wall clock tells how long the session lay still.

    Returns:
        by run; asked for one whose record is lost, it raises SessionDamagedError.
    """
    runs = rows(reader.table("runs").sort_values("run"))
    zero = _Zeros(reader)
    for run in runs:
        by_wall_s = (_utc(run["started_utc"]) - _utc(runs[0]["started_utc"])).total_seconds()
        by_clock_s = run["started_s"] - runs[0]["started_s"]
        same = abs(by_wall_s - by_clock_s) < _SAME_CLOCK_S
        zero[int(run["run"])] = runs[0]["started_s"] if same else run["started_s"] - by_wall_s
    return zero


def start_of(reader: SessionReader) -> datetime:
    """Return when the session began, with its time zone.

    Raises:
        SessionDamagedError: the file has no record of any run.
    """
    began = reader.table("runs")["started_utc"]
    if began.empty:
        raise _lost(reader, "no run")
    return _utc(str(began.iloc[0]))


def utc_times(reader: SessionReader, times: Mapping[_Key, tuple[int, float]]) -> dict[_Key, datetime]:
    """Return what time of the day it was, with its time zone, as far as the file tells.

    Args:
        reader: of the session.
        times: run of the program, and seconds of ``local_clock``.

    Returns:
        by the same keys; those are left out of which the time or the record of the run is lost.

    Raises:
        SessionDamagedError: the file has no record of any run.
    """
    began, zero = start_of(reader), zero_of_runs(reader)
    known = {}
    for key, (run, time_s) in times.items():
        after_s = time_s - zero[run] if run in zero else math.nan
        if abs(after_s) < _YEAR_S:
            known[key] = began + timedelta(seconds=after_s)
    return known


class _Zeros(dict[int, float]):
    def __init__(self, reader: SessionReader) -> None:
        super().__init__()
        self._reader = reader

    def __missing__(self, run: int) -> float:
        raise _lost(self._reader, f"no run {run}, of which other tables have rows")


def _lost(reader: SessionReader, found: str) -> SessionDamagedError:
    return SessionDamagedError(
        f"{reader.path}: table runs",
        found=found,
        expected="a record of each run: when it was, nothing else tells",
        remedy="`closedloop salvage` puts a stand-in in its place; it leaves the damaged file as it is.",
    )


def _utc(text: str) -> datetime:
    # Python 3.10 does not know the Z that others write for UTC
    when = datetime.fromisoformat(text.replace("Z", "+00:00"))
    return when if when.tzinfo is not None else when.replace(tzinfo=timezone.utc)
