"""The stand-in for a lost run stands at the day and time when the run was."""

from __future__ import annotations

import shutil
import sqlite3
from datetime import datetime, timedelta
from pathlib import Path

import pytest
from session_factory import SessionPlan, write_session

from closedloop.session import SessionReader
from closedloop.session.salvage import salvage

FIRST_TRIAL = "SELECT min(ordered_s), max(coalesce(judged_s, ordered_s)) FROM trials WHERE run = ?"


@pytest.fixture(scope="module")
def resumed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two runs, whose wall clock goes as their local clock does."""
    folder = write_session(
        tmp_path_factory.mktemp("runs") / "whole", SessionPlan(generations=2, images=6, resumed=True)
    )
    connection = sqlite3.connect(folder / "session.sqlite")
    (zero_s,) = connection.execute("SELECT started_s FROM runs WHERE run = 0").fetchone()
    zero = datetime.fromisoformat("2026-11-21T10:00:00.000+00:00")

    def utc(time_s: float) -> str:
        return (zero + timedelta(seconds=time_s - zero_s)).isoformat(timespec="milliseconds")

    connection.create_function("utc", 1, utc)
    connection.execute("UPDATE runs SET started_utc = utc(started_s)")
    connection.execute("UPDATE events SET utc = utc(time_s)")
    connection.commit()
    connection.close()
    return folder


def salvaged(source: Path, to: Path, *statements: str) -> dict[int, tuple[float, datetime]]:
    bad = Path(shutil.copytree(source, to / "bad"))
    connection = sqlite3.connect(bad / "session.sqlite")
    for statement in statements:
        connection.execute(statement)
    connection.commit()
    connection.close()
    result = salvage(bad, to / "new")
    assert any("the record of run" in sentence for sentence in result.lost)
    with SessionReader(to / "new") as reader:
        runs = reader.table("runs")
    return {row.run: (row.started_s, datetime.fromisoformat(row.started_utc)) for row in runs.itertuples()}


@pytest.mark.parametrize("lost", [0, 1])
@pytest.mark.parametrize("events", [True, False])
def test_a_run_is_placed_by_its_events_or_by_the_run_beside_it(
    resumed: Path, tmp_path: Path, lost: int, events: bool
) -> None:
    statements = [f"DELETE FROM runs WHERE run = {lost}"]  # noqa: S608 - no outside text in it
    if not events:
        statements.append("DELETE FROM events")
    runs = salvaged(resumed, tmp_path, *statements)
    passed = runs[1][1] - runs[0][1]
    assert passed.total_seconds() == pytest.approx(runs[1][0] - runs[0][0], abs=0.002)
    assert {when.date().isoformat() for _, when in runs.values()} == {"2026-11-21"}


def test_a_run_on_another_clock_comes_after_the_one_before(resumed: Path, tmp_path: Path) -> None:
    back = "ordered_s = ordered_s - 1000, judged_s = judged_s - 1000 WHERE run = 1"
    runs = salvaged(
        resumed,
        tmp_path,
        "DELETE FROM runs WHERE run = 1",
        "DELETE FROM events",
        f"UPDATE trials SET {back}",  # noqa: S608 - no outside text in it
    )
    connection = sqlite3.connect(tmp_path / "bad" / "session.sqlite")
    last_s = connection.execute(FIRST_TRIAL, (0,)).fetchone()[1]
    connection.close()
    assert runs[1][0] < runs[0][0]
    assert (runs[1][1] - runs[0][1]).total_seconds() == pytest.approx(last_s - runs[0][0] + 1.0, abs=0.01)


def test_where_nothing_tells_the_day_the_runs_are_in_order(resumed: Path, tmp_path: Path) -> None:
    runs = salvaged(resumed, tmp_path, "DELETE FROM runs", "DELETE FROM events")
    assert runs[0][1] <= runs[1][1]
