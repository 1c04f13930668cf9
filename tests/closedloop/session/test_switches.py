"""A kill while a session file is opened to go on with, or closed: the file is whole, and anybody can read it."""

from __future__ import annotations

import os
import shutil
import sqlite3
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from session_factory import SessionPlan, write_session
from small_disk import Disk, mounted

from closedloop.errors import DiskError, SessionDamagedError, SessionInUseError
from closedloop.session import SessionReader, SessionStore, database
from closedloop.session.salvage import salvage

KILLS = 80
KILLER = """
import os, random, signal, sys, time
from pathlib import Path
from closedloop.session import SessionReader, database

folder, kills = Path(sys.argv[1]), int(sys.argv[2])
path = folder / database.FILE_NAME
rng = random.Random(4)
for _ in range(kills):
    heard, says = os.pipe()
    child = os.fork()
    if child == 0:
        os.write(says, b"r")
        while True:  # a kill hits one of the two switches nearly always
            connection = database.open_writer(path)
            database.make_plain(connection)
            connection.close()
    os.read(heard, 1)
    os.close(heard), os.close(says)
    time.sleep(rng.uniform(0.0, 0.015))
    os.kill(child, signal.SIGKILL)
    os.waitpid(child, 0)
    hot = path.with_name(path.name + "-journal").exists()
    with SessionReader(folder) as reader:
        reader.table("runs")
        print("hot" if hot else "whole", flush=True)
"""


@pytest.fixture(scope="module")
def session(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_session(tmp_path_factory.mktemp("switches") / "whole", SessionPlan(generations=2, images=6))


@pytest.fixture
def folder(session: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(session, tmp_path / "one"))


def trials(folder: Path) -> int:
    with SessionReader(folder) as reader:
        return len(reader.table("trials"))


@pytest.mark.skipif(not hasattr(os, "fork"), reason="this system has no fork")
def test_a_kill_within_a_switch_leaves_nothing_that_must_be_undone(session: Path, folder: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-c", KILLER, str(folder), str(KILLS)], capture_output=True, text=True, check=False
    )
    assert done.stderr == ""
    assert done.stdout.split() == ["whole"] * KILLS
    database.check(folder / database.FILE_NAME)
    assert trials(folder) == trials(session)
    SessionStore.reopen(folder, environment={}, started_s=0.0).close(
        ended_s=1.0, exit_status="completed", reason=""
    )
    assert sorted(path.name for path in folder.glob("session.sqlite*")) == ["session.sqlite"]
    plain = sqlite3.connect(f"{(folder / database.FILE_NAME).as_uri()}?mode=ro", uri=True)
    assert plain.execute("PRAGMA journal_mode").fetchone()[0] == "delete"
    plain.close()


def test_a_switch_makes_no_journal_at_all(folder: Path) -> None:
    journal = folder / "session.sqlite-journal"
    over = threading.Event()
    seen: list[bool] = []

    def watch() -> None:
        while not over.is_set():
            seen.append(journal.exists())

    watching = threading.Thread(target=watch)
    watching.start()
    for _ in range(20):
        connection = database.open_writer(folder / database.FILE_NAME)
        database.make_plain(connection)
        connection.close()
    over.set()
    watching.join()
    assert len(seen) > 100
    assert not any(seen)


def cut_off_half_way(session: Path, to: Path) -> Path:
    """Copy a session in the midst of a change that a rollback journal guards, as earlier versions made."""
    work = Path(shutil.copytree(session, to.with_name("work")))
    connection = sqlite3.connect(work / database.FILE_NAME, isolation_level=None)
    connection.execute("PRAGMA cache_size = 1")
    connection.execute("BEGIN")
    connection.execute("UPDATE images SET pixels = randomblob(30000)")
    connection.execute("DELETE FROM trials")
    shutil.copytree(work, to)
    connection.close()
    assert (to / "session.sqlite-journal").stat().st_size
    assert (to / database.FILE_NAME).read_bytes() != (session / database.FILE_NAME).read_bytes()
    return to


def test_what_an_earlier_version_left_half_done_is_undone(session: Path, tmp_path: Path) -> None:
    hot = cut_off_half_way(session, tmp_path / "hot")
    assert not database.is_blank(hot / database.FILE_NAME)
    assert trials(hot) == trials(session)
    assert not (hot / "session.sqlite-journal").exists()
    again = cut_off_half_way(session, Path(shutil.move(hot, tmp_path / "was")).with_name("x") / "hot")
    SessionStore.reopen(again, environment={}, started_s=0.0).abandon()
    assert trials(again) == trials(session)


@pytest.fixture
def disk(tmp_path: Path) -> Iterator[Disk]:
    with mounted(tmp_path / "disk", "64m") as disk:
        yield disk


def test_where_nothing_can_be_written_it_reads_what_it_can_and_says_what_it_can_not(
    session: Path, disk: Disk
) -> None:
    whole = Path(shutil.copytree(session, disk.folder / "whole"))
    hot = cut_off_half_way(session, disk.folder / "hot")
    # killed when the log was gone, and the header did not say so yet
    between = Path(shutil.copytree(session, disk.folder / "between"))
    data = bytearray((between / database.FILE_NAME).read_bytes())
    data[18:20] = b"\2\2"
    (between / database.FILE_NAME).write_bytes(data)
    crashed = Path(shutil.copytree(session, disk.folder / "crashed"))
    store = SessionStore.reopen(crashed, environment={}, started_s=0.0)
    cut = Path(shutil.copytree(crashed, disk.folder / "cut"))
    (cut / "session.sqlite-shm").unlink()
    store.abandon()
    disk.remount("ro")
    assert trials(whole) == trials(between) == trials(session)
    with pytest.raises(SessionDamagedError, match=r"Copy the folder, session\.sqlite-journal included"):
        SessionReader(hot)
    with pytest.raises(SessionDamagedError, match="Copy the whole folder to where it can be written"):
        SessionReader(cut)
    with pytest.raises(DiskError):
        SessionStore.reopen(whole, environment={}, started_s=0.0)


def log_alone(session: Path, to: Path) -> Path:
    """A session that was cut off before its log was put into the file, and then lost the file's content."""
    to.mkdir()
    source = sqlite3.connect(session / database.FILE_NAME)
    running = database.create(to / "running")
    store = sqlite3.connect(to / "running", isolation_level=None)
    store.execute("PRAGMA wal_autocheckpoint = 0")
    names = [row[0] for row in source.execute("SELECT name FROM sqlite_master WHERE type = 'table'")]
    for name in names:
        rows = source.execute(f"SELECT * FROM {name}").fetchall()  # noqa: S608 - the schema's own names
        if rows:
            store.executemany(f"INSERT INTO {name} VALUES ({','.join('?' * len(rows[0]))})", rows)  # noqa: S608 - as above
    shutil.copy(to / "running-wal", to / "session.sqlite-wal")
    for connection in (source, store, running):
        connection.close()
    (to / "running").unlink()
    return to


@pytest.mark.parametrize("there", [True, False])
def test_a_log_whose_file_is_empty_or_gone_is_never_thrown_away(
    session: Path, tmp_path: Path, there: bool
) -> None:
    folder = log_alone(session, tmp_path / "alone")
    path = folder / database.FILE_NAME
    if there:
        path.touch()
    before = (folder / "session.sqlite-wal").read_bytes()
    assert not database.is_blank(path)
    for use in (
        lambda: SessionReader(folder),
        lambda: database.open_writer(path),
        lambda: database.create(path),
        lambda: database.remove(path),
        lambda: database.check(path),
    ):
        with pytest.raises(SessionDamagedError, match="salvage"):
            use()
        assert (folder / "session.sqlite-wal").read_bytes() == before
    assert salvage(folder, tmp_path / "saved").lost == []
    assert trials(tmp_path / "saved") == trials(session)


def test_a_session_is_opened_when_its_readers_are_done(folder: Path) -> None:
    path = folder / database.FILE_NAME
    with SessionReader(folder) as reader, reader.snapshot():
        reader.table("meta")
        with pytest.raises(SessionInUseError, match="another program is reading it"):
            database.wait_for_readers(path, wait_s=0.0)
        with pytest.raises(SessionInUseError, match="another program is reading it"):
            database.open_writer(path, wait_s=0.0)
    reading = threading.Event()

    def read() -> None:
        with SessionReader(folder) as other, other.snapshot():
            other.table("meta")
            reading.set()
            time.sleep(0.3)

    thread = threading.Thread(target=read)
    thread.start()
    assert reading.wait(5.0)
    before = path.read_bytes()
    database.wait_for_readers(path)
    assert path.read_bytes() == before
    thread.join()
    SessionStore.reopen(folder, environment={}, started_s=0.0).abandon()


def test_readers_of_a_session_with_a_log_hold_up_nobody(folder: Path) -> None:
    SessionStore.reopen(folder, environment={}, started_s=0.0).abandon()
    running = SessionStore.reopen(folder, environment={}, started_s=0.0)
    with SessionReader(folder) as reader, reader.snapshot():
        reader.table("meta")
        database.open_writer(folder / database.FILE_NAME, wait_s=0.0).close()
    running.abandon()
