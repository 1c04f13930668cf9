"""Damaged session files: clear errors from whatever reads them, and every complete trial saved."""

from __future__ import annotations

import random
import shutil
import sqlite3
import struct
from collections.abc import Callable
from pathlib import Path

import pytest
from scan_session_factory import ABORTED, write_scan_session
from session_factory import SessionPlan, write_session

from closedloop.errors import (
    ClosedLoopError,
    SessionDamagedError,
    SessionError,
    SessionExistsError,
    SessionSchemaError,
)
from closedloop.exports import export_session
from closedloop.replay.summary import summarise
from closedloop.report import write_report
from closedloop.session import SessionReader
from closedloop.session.salvage import Salvaged, salvage

PAGE = 8192
TABLES = (
    "meta",
    "runs",
    "threads",
    "generations",
    "images",
    "trials",
    "responses",
    "scores",
    "streams",
    "chunks",
    "clock_probes",
    "stream_states",
    "markers",
    "events",
)


@pytest.fixture(scope="module")
def session(tmp_path_factory: pytest.TempPathFactory) -> Path:
    plan = SessionPlan(
        generations=3, images=8, image_px=12, threads=("left", "right"), channels=24, sample_hz=100.0
    )
    return write_session(tmp_path_factory.mktemp("salvage") / "whole", plan)


@pytest.fixture(scope="module")
def crashed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Everything stands in the write-ahead log."""
    source = tmp_path_factory.mktemp("salvage") / "running"
    folder = source.parent / "crashed"
    folder.mkdir()
    keep: list[sqlite3.Connection] = []

    def hold() -> None:  # a reader that is there when the writer closes keeps the log
        connection = sqlite3.connect(source / "session.sqlite")
        connection.execute("SELECT count(*) FROM meta").fetchone()
        keep.append(connection)

    plan = SessionPlan(generations=3, images=8, image_px=12, half_generation=True, exit_status=None)
    write_session(source, plan)
    hold()
    connection = sqlite3.connect(source / "session.sqlite", isolation_level=None)
    connection.execute("PRAGMA journal_mode = WAL")
    connection.execute("PRAGMA wal_autocheckpoint = 0")
    for trial in range(1, 20):  # each commit stands alone
        connection.execute("UPDATE trials SET judged_s = judged_s + 1 WHERE trial = ?", (trial,))
    for suffix in ("", "-wal"):
        shutil.copy(source / f"session.sqlite{suffix}", folder / f"session.sqlite{suffix}")
    connection.close()
    keep[0].close()
    assert (folder / "session.sqlite-wal").stat().st_size > 18 * PAGE
    return folder


def rows(folder: Path, table: str) -> list[str]:
    connection = sqlite3.connect(folder / "session.sqlite")
    found = sorted(repr(row) for row in connection.execute(f"SELECT * FROM {table}"))  # noqa: S608  a name from above
    connection.close()
    return found


def copy_with(source: Path, to: Path, change: Callable[[bytearray], bytearray | None]) -> Path:
    shutil.copytree(source, to)
    data = bytearray((to / "session.sqlite").read_bytes())
    changed = change(data)
    (to / "session.sqlite").write_bytes(bytes(data if changed is None else changed))
    return to


def usable(folder: Path, *, wholly: bool = False) -> None:
    """What was saved is a session like any other."""
    with SessionReader(folder) as reader:
        assert reader.unsound() == []
        assert summarise(reader).damages == []
        for _ in reader.chunk_arrays("response"):
            pass
    if wholly:
        export_session(folder)
        write_report(folder)
    connection = sqlite3.connect(folder / "session.sqlite")
    assert connection.execute("PRAGMA foreign_key_check").fetchall() == []
    connection.close()


def trials_saved(original: Path, saved: Path, result: Salvaged) -> set[int]:
    """Return the valid trials that are missing; the others have the response that they had."""
    sql = "SELECT trial, flips, rates FROM trials JOIN responses USING (trial, run) WHERE status = 'valid'"
    copy = shutil.copytree(original, saved.parent / "was")  # looking at it would put its log in
    was, now = (sqlite3.connect(folder / "session.sqlite") for folder in (copy, saved))
    before, after = set(was.execute(sql)), set(now.execute(sql))
    assert after <= before
    judged = now.execute("SELECT count(*) FROM trials WHERE status IN ('valid', 'invalid')").fetchone()[0]
    assert result.trials == judged
    was.close()
    now.close()
    return {row[0] for row in before} - {row[0] for row in after}


@pytest.mark.parametrize("which", ["session", "crashed"])
def test_of_a_whole_file_everything_is_saved(
    which: str, request: pytest.FixtureRequest, tmp_path: Path
) -> None:
    source: Path = request.getfixturevalue(which)
    result = salvage(source, tmp_path / "new")
    assert result.lost == []
    shutil.copytree(source, tmp_path / "copy")  # looking at it would put the log in
    for table in TABLES:
        assert rows(tmp_path / "new", table) == rows(tmp_path / "copy", table)
        assert result.rows[table] == len(rows(tmp_path / "copy", table))


def test_header_and_schema_are_not_needed(session: Path, tmp_path: Path) -> None:
    def spoil(data: bytearray) -> None:
        data[: PAGE - 50] = b"\xff" * (PAGE - 50)

    bad = copy_with(session, tmp_path / "bad", spoil)
    with pytest.raises(SessionDamagedError):
        SessionReader(bad)
    salvage(bad, tmp_path / "new")
    for table in TABLES:
        assert rows(tmp_path / "new", table) == rows(session, table)


def test_each_page_by_itself_costs_its_own_rows_only(session: Path, tmp_path: Path) -> None:
    pages = (session / "session.sqlite").stat().st_size // PAGE
    total = len(rows(session, "trials"))
    for page in range(pages):
        folder = tmp_path / str(page)

        def wipe(data: bytearray, page: int = page) -> None:
            data[page * PAGE : (page + 1) * PAGE] = bytes(PAGE)

        bad = copy_with(session, folder / "bad", wipe)
        try:
            result = salvage(bad, folder / "new")
        except SessionError as error:
            pytest.fail(f"page {page}: {error}")
        gone = trials_saved(session, folder / "new", result)
        assert len(gone) < total / 2
        if gone:
            assert any("trial" in sentence for sentence in result.lost), (page, result.lost)
        if page % 20 == 0:
            usable(folder / "new")
        shutil.rmtree(folder)


@pytest.mark.parametrize("share", [0.2, 0.5, 0.75, 0.97])
def test_a_truncated_file_keeps_what_is_there(session: Path, tmp_path: Path, share: float) -> None:
    bad = copy_with(session, tmp_path / "bad", lambda data: data[: int(share * len(data))])
    result = salvage(bad, tmp_path / "new")
    assert any("the end of the file" in sentence for sentence in result.lost)
    trials_saved(session, tmp_path / "new", result)
    usable(tmp_path / "new", wholly=share == 0.5)


@pytest.mark.parametrize("seed", range(8))
def test_flipped_bits_cost_little_and_never_more_than_an_error(
    session: Path, tmp_path: Path, seed: int
) -> None:
    rng = random.Random(seed)  # noqa: S311  places in a file, no secret

    def flip(data: bytearray) -> None:
        for _ in range(1 if seed % 2 else 40):
            data[rng.randrange(len(data))] ^= 1 << rng.randrange(8)

    bad = copy_with(session, tmp_path / "bad", flip)

    def info() -> None:
        with SessionReader(bad) as reader:
            summarise(reader)

    for use in (info, lambda: export_session(bad), lambda: write_report(bad)):
        try:
            use()
        except ClosedLoopError as error:
            assert str(bad) in str(error) or "session" in str(error)  # noqa: PT017  an error is allowed, no other kind
    salvage(bad, tmp_path / "new")
    usable(tmp_path / "new", wholly=seed < 2)
    with SessionReader(tmp_path / "new") as reader:
        kept = int((reader.table("trials")["status"] == "valid").sum())
    assert kept > len(rows(session, "responses")) / 2


def test_a_damaged_frame_of_the_log_costs_that_frame_only(crashed: Path, tmp_path: Path) -> None:
    bad = Path(shutil.copytree(crashed, tmp_path / "bad"))
    log = bytearray((bad / "session.sqlite-wal").read_bytes())
    log[32 + 2 * (24 + PAGE) + 24 + 500] ^= 0xFF  # in the third frame; SQLite would believe nothing after it
    (bad / "session.sqlite-wal").write_bytes(bytes(log))
    result = salvage(bad, tmp_path / "new")
    assert "1 pages of the write-ahead log, which are damaged" in result.lost
    assert not trials_saved(crashed, tmp_path / "new", result)
    judged = sqlite3.connect(tmp_path / "new" / "session.sqlite").execute(
        "SELECT trial, judged_s FROM trials ORDER BY trial"
    )
    shutil.copytree(crashed, tmp_path / "copy")
    whole = sqlite3.connect(tmp_path / "copy" / "session.sqlite").execute(
        "SELECT trial, judged_s FROM trials ORDER BY trial"
    )
    assert judged.fetchall() == whole.fetchall()


@pytest.mark.parametrize("cut", [10, 40, 3 * (24 + PAGE), 7 * (24 + PAGE) + 100])
def test_a_truncated_log_is_taken_up_to_its_end(crashed: Path, tmp_path: Path, cut: int) -> None:
    bad = Path(shutil.copytree(crashed, tmp_path / "bad"))
    log = (bad / "session.sqlite-wal").read_bytes()[:cut]
    (bad / "session.sqlite-wal").write_bytes(log)
    salvage(bad, tmp_path / "new")
    assert rows(tmp_path / "new", "trials") == rows(bad, "trials")  # as SQLite itself reads it


def test_a_lost_image_takes_its_trials_and_is_named(session: Path, tmp_path: Path) -> None:
    bad = Path(shutil.copytree(session, tmp_path / "bad"))
    connection = sqlite3.connect(bad / "session.sqlite")
    connection.execute("DELETE FROM images WHERE image = 12")
    lost = {row[0] for row in connection.execute("SELECT trial FROM trials WHERE image = 12")}
    connection.execute("DELETE FROM responses WHERE trial = 3")
    connection.commit()
    connection.close()
    result = salvage(bad, tmp_path / "new")
    text = " | ".join(result.lost)
    assert f"trial{'' if len(lost) == 1 else 's'} {min(lost)}" in text
    assert "image 12" in text
    assert "the response of trial 3, which is marked as interrupted" in text
    usable(tmp_path / "new")


def test_nothing_is_written_over_and_strangers_are_refused(session: Path, tmp_path: Path) -> None:
    with pytest.raises(SessionExistsError):
        salvage(session, session)
    with pytest.raises(SessionError, match="no such file"):
        salvage(tmp_path / "absent", tmp_path / "new")
    other = tmp_path / "other"
    other.mkdir()
    (other / "session.sqlite").write_bytes(b"\0\1\2 just some bytes" * 3000)
    with pytest.raises(SessionSchemaError, match="nothing that looks like"):
        salvage(other, tmp_path / "new")
    (other / "session.sqlite").unlink()
    connection = sqlite3.connect(other / "session.sqlite")
    connection.execute("CREATE TABLE shopping (what TEXT)")
    connection.execute("INSERT INTO shopping VALUES ('bread')")
    connection.commit()
    connection.close()
    with pytest.raises(SessionSchemaError):
        salvage(other, tmp_path / "new")
    assert not (tmp_path / "new").exists()


def test_a_sound_file_of_another_schema_is_refused(session: Path, tmp_path: Path) -> None:
    bad = Path(shutil.copytree(session, tmp_path / "bad"))
    connection = sqlite3.connect(bad / "session.sqlite")
    connection.execute("ALTER TABLE runs ADD COLUMN weather TEXT")
    connection.execute("PRAGMA user_version = 7")
    connection.close()
    with pytest.raises(SessionSchemaError, match="schema 7"):
        salvage(bad, tmp_path / "new")


def test_a_number_of_the_schema_that_is_damaged_itself_does_no_harm(session: Path, tmp_path: Path) -> None:
    def spoil(data: bytearray) -> None:
        data[60:64] = struct.pack(">I", 99)

    assert salvage(copy_with(session, tmp_path / "bad", spoil), tmp_path / "new").lost == []


@pytest.mark.parametrize(
    ("content", "error"),
    [
        (b"", SessionSchemaError),
        (b"not a database at all, but long enough to be looked at" * 20, SessionDamagedError),
        (b"SQLite format 3\0" + b"\xff" * 5000, SessionDamagedError),
    ],
)
def test_what_is_no_session_file_is_one_clear_error(
    tmp_path: Path, content: bytes, error: type[SessionError]
) -> None:
    (tmp_path / "session.sqlite").write_bytes(content)
    with pytest.raises(error):
        SessionReader(tmp_path)


@pytest.fixture(scope="module")
def scans(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_scan_session(tmp_path_factory.mktemp("salvage") / "scans", ABORTED)


OF_SCANS = ("scans", "planned", "pulses", "presses")


def test_of_scan_runs_everything_is_saved(scans: Path, tmp_path: Path) -> None:
    assert salvage(scans, tmp_path / "new").lost == []
    for table in (*TABLES, *OF_SCANS):
        assert rows(tmp_path / "new", table) == rows(scans, table)


def test_a_lost_page_costs_its_own_rows_of_scan_runs_and_is_named(scans: Path, tmp_path: Path) -> None:
    pages = (scans / "session.sqlite").stat().st_size // PAGE
    total = len(rows(scans, "pulses"))
    for page in range(0, pages, 3):
        folder = tmp_path / str(page)

        def wipe(data: bytearray, page: int = page) -> None:
            data[page * PAGE : (page + 1) * PAGE] = bytes(PAGE)

        result = salvage(copy_with(scans, folder / "bad", wipe), folder / "new")
        kept = len(rows(folder / "new", "pulses"))
        named = " ".join(result.lost)
        assert kept == total or "pulse" in named, (page, named)
        if rows(folder / "new", "scans") != rows(scans, "scans"):
            assert "scan run" in named, (page, named)
        with SessionReader(folder / "new") as reader:
            assert summarise(reader).damages == []
            assert reader.broken_references() == []
        shutil.rmtree(folder)


def test_a_scan_run_whose_record_is_lost_has_a_stand_in(scans: Path, tmp_path: Path) -> None:
    bad = Path(shutil.copytree(scans, tmp_path / "bad"))
    connection = sqlite3.connect(bad / "session.sqlite")
    start_s = connection.execute("SELECT start_s FROM scans WHERE scan = 3").fetchone()[0]
    connection.execute("DELETE FROM scans WHERE scan = 3")
    connection.commit()
    connection.close()
    result = salvage(bad, tmp_path / "new")
    assert any("the record of scan run 3" in sentence for sentence in result.lost)
    connection = sqlite3.connect(tmp_path / "new" / "session.sqlite")
    stand_in = connection.execute("SELECT label, run, start_s, status FROM scans WHERE scan = 3").fetchone()
    connection.close()
    assert stand_in == ("lost3", 1, start_s, None)
    export_session(tmp_path / "new")
    write_report(tmp_path / "new")


def test_a_file_of_schema_1_whose_number_is_damaged_is_known_by_its_tables(tmp_path: Path) -> None:
    golden = Path(__file__).parents[2] / "golden" / "schema-1" / "rates"

    def spoil(data: bytearray) -> None:
        data[60:64] = struct.pack(">I", 99)

    assert salvage(copy_with(golden, tmp_path / "bad", spoil), tmp_path / "new").lost == []
