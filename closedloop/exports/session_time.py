"""Times of a session counted from its start, over all its runs."""

from __future__ import annotations

from datetime import datetime

from closedloop.errors import SessionDamagedError
from closedloop.exports.columns import rows
from closedloop.session import SessionReader

_SAME_CLOCK_S = 10.0  # the wall clock may have been corrected by so much between two runs of one boot


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
    return datetime.fromisoformat(text.replace("Z", "+00:00"))
