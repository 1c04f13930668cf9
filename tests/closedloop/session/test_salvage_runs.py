"""The stand-in for a lost run stands at the day and time when the run was."""

from __future__ import annotations

import shutil
import sqlite3
from contextlib import closing
from datetime import datetime, timedelta
from pathlib import Path

import pytest
from salvaged_session import lose
from session_factory import SessionPlan, write_session

from closedloop.session import SessionReader
from closedloop.session.salvage import Salvaged, salvage

WRITTEN = {
    "trials": "judged_s",
    "chunks": "written_s",
    "clock_probes": "time_s",
    "stream_states": "time_s",
    "markers": "time_s",
    "events": "time_s",
}


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


def one(folder: Path, query: str) -> float:
    with closing(sqlite3.connect(folder / "session.sqlite")) as connection:
        (found,) = connection.execute(query).fetchone()
    return found  # type: ignore[no-any-return]  # SQLite's own


def rescued(source: Path, to: Path, *statements: str) -> Salvaged:
    bad = Path(shutil.copytree(source, to / "bad"))
    lose(bad, *statements)
    return salvage(bad, to / "new")


def salvaged(source: Path, to: Path, *statements: str) -> dict[int, tuple[float, datetime]]:
    result = rescued(source, to, *statements)
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
    last_s = max(
        one(resumed, f"SELECT max({column}) FROM {table} WHERE run = 0") or 0.0  # noqa: S608 - from above
        for table, column in WRITTEN.items()
    )
    back = [
        f"UPDATE {table} SET {column} = {column} - 1000 WHERE run = 1"  # noqa: S608 - from above
        for table, column in (*WRITTEN.items(), ("trials", "ordered_s"))
    ]
    runs = salvaged(
        resumed,
        tmp_path,
        "DELETE FROM runs WHERE run = 1",
        "DELETE FROM events",
        *back,
    )
    assert runs[1][0] < runs[0][0]
    assert (runs[1][1] - runs[0][1]).total_seconds() == pytest.approx(last_s - runs[0][0] + 1.0, abs=0.01)


def test_where_nothing_tells_the_day_the_runs_are_in_order(resumed: Path, tmp_path: Path) -> None:
    runs = salvaged(resumed, tmp_path, "DELETE FROM runs", "DELETE FROM events")
    assert runs[0][1] <= runs[1][1]


WITHOUT_TRIAL = ("DELETE FROM trials WHERE run = 1", "DELETE FROM responses WHERE run = 1")


def test_a_lost_run_in_which_no_trial_was_shown_keeps_all_that_it_has(resumed: Path, tmp_path: Path) -> None:
    result = rescued(
        resumed,
        tmp_path,
        *WITHOUT_TRIAL,
        "INSERT INTO events SELECT max(event) + 1, 1, time_s, utc, 'note', '{\"text\": \"moved\"}' FROM events",
        "DELETE FROM runs WHERE run = 1",
    )
    assert any("the record of run 1" in sentence for sentence in result.lost)
    assert not any("whose run is lost" in sentence for sentence in result.lost)
    for table in ("chunks", "markers", "events"):
        kept, was = (
            one(tmp_path / name, f"SELECT count(*) FROM {table} WHERE run = 1")  # noqa: S608 - from above
            for name in ("new", "bad")
        )
        assert kept == was > 0, table
    with SessionReader(tmp_path / "new") as reader:
        assert reader.unsound() == []
        assert {"text": "moved"} in reader.details("events", "detail")


@pytest.mark.parametrize(
    ("statements", "said"),
    [
        (("UPDATE markers SET run = 7 WHERE marker = 3",), "1 row of table markers, whose run is lost"),
        (("UPDATE events SET run = 7 WHERE event = 1",), "1 row of table events, whose run is lost"),
        (("UPDATE images SET thread = 7 WHERE image = 2",), "1 row of table images, whose thread is lost"),
        (("DELETE FROM images WHERE image = 2",), "of table scores, whose image is lost"),
        (("DELETE FROM markers WHERE marker = 3",), "marker 3"),
        (
            ("INSERT INTO events VALUES (9, 0, 1, '', 'note', '{}')", "DELETE FROM events WHERE event = 1"),
            "events 1, 3 to 8",
        ),
        (
            (
                *(f"DELETE FROM {table} WHERE run = 1" for table in (*WRITTEN, "streams", "responses")),  # noqa: S608 - from above
                "INSERT INTO runs SELECT 2, started_s, started_utc, null, null, null, null, '{}', null FROM runs LIMIT 1",
                "DELETE FROM runs WHERE run = 1",
            ),
            "run 1, of which hardly anything is left",
        ),
    ],
)
def test_what_goes_since_others_are_lost_is_counted(
    resumed: Path, tmp_path: Path, statements: tuple[str, ...], said: str
) -> None:
    result = rescued(resumed, tmp_path, *statements)
    assert any(said in sentence for sentence in result.lost), result.lost


def test_a_time_that_makes_no_sense_is_no_reason_to_save_nothing(resumed: Path, tmp_path: Path) -> None:
    runs = salvaged(
        resumed,
        tmp_path,
        "UPDATE chunks SET written_s = 1e300 WHERE run = 1 AND sequence = 1",
        "UPDATE events SET time_s = -1e300",
        "DELETE FROM runs WHERE run = 1",
    )
    assert sorted(runs) == [0, 1]
