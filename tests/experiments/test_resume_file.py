"""Session files that lost their end, and disks that were full: what was acknowledged is there, and goes on."""

from __future__ import annotations

import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from cut_session import SHORT, HastyClock, acknowledged, answer, content
from simulated_session import prepare, resume
from small_disk import Disk, mounted

from closedloop.errors import DiskError, SessionDamagedError, SessionInUseError, SessionSchemaError
from closedloop.loop.commands import Command
from closedloop.loop.history import read_history
from closedloop.session import SessionReader, SessionStore
from closedloop.session.database import FILE_NAME, check, open_writer
from closedloop.session.lock import SessionLock

ROOT = Path(__file__).resolve().parents[2]
WAL = FILE_NAME + "-wal"


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An uninterrupted session."""
    session = prepare(tmp_path_factory.mktemp("whole") / "one", *SHORT, respond=answer, clock=HastyClock())
    session.run()
    return session.folder


def run_and_watch(folder: Path) -> tuple[Path, list[tuple[int, list[tuple[Any, ...]]]]]:
    """Run a session; return a copy of its files just before its end, and what was acknowledged at each size.

    The size is that of the write-ahead log at a moment when everything written is committed.
    """
    session = prepare(folder, *SHORT, respond=answer, clock=HastyClock())
    copy = folder.with_name("copy")
    copy.mkdir()
    seen: list[tuple[int, list[tuple[Any, ...]]]] = []

    def script() -> tuple[Command, ...]:
        size = (folder / WAL).stat().st_size
        if not seen or size > seen[-1][0]:
            seen.append((size, acknowledged(folder)))
            if len(seen[-1][1]) > 20:
                for name in (FILE_NAME, WAL, "protocol.yaml"):
                    shutil.copy(folder / name, copy / name)
        return ()

    session.operator.script = script
    session.run()
    return copy, seen


def test_a_truncated_log_loses_nothing_that_was_acknowledged_before_the_cut(
    whole: Path, tmp_path: Path
) -> None:
    copy, seen = run_and_watch(tmp_path / "one")
    log = (copy / WAL).read_bytes()
    rng = np.random.default_rng(np.random.SeedSequence(22))
    lengths = sorted(int(length) for length in rng.integers(0, len(log) + 1, 200))
    told: list[str] = []
    for number, length in enumerate(lengths):
        folder = tmp_path / str(length)
        folder.mkdir(exist_ok=True)
        for name in (FILE_NAME, "protocol.yaml"):
            shutil.copy(copy / name, folder / name)
        (folder / WAL).write_bytes(log[:length])
        must = max((trials for size, trials in seen if size <= length), key=len, default=[])
        try:
            there = acknowledged(folder)
            SessionReader(folder).close()
        except SessionSchemaError as error:
            there = []
            told.append(error.found)
        assert there[: len(must)] == must, length
        if number % 20 == 7:
            resume(folder, respond=answer, clock=HastyClock()).run()
            assert content(folder) == content(whole)
        shutil.rmtree(folder)
    assert len(told) < 20
    assert all("cut off before anything was recorded" in found for found in told)
    assert max(len(trials) for size, trials in seen if size <= lengths[-1]) > 15


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Disk]:
    with mounted(tmp_path / "disk", "1000k") as disk:
        yield disk


def test_a_session_whose_disk_was_full_goes_on_when_there_is_room(whole: Path, small_disk: Disk) -> None:
    session = prepare(small_disk.folder / "one", *SHORT, respond=answer, clock=HastyClock())
    with pytest.raises(DiskError, match="Make room on the disk"):
        session.run()
    small_disk.remount("size=64m")
    before = acknowledged(session.folder)
    assert before
    resume(session.folder, respond=answer, clock=HastyClock()).run()
    assert acknowledged(session.folder)[: len(before)] == before
    assert content(session.folder) == content(whole)


def test_one_engine_at_a_time(whole: Path, tmp_path: Path) -> None:
    folder = Path(shutil.copytree(whole, tmp_path / "one"))
    with SessionLock(folder):
        with pytest.raises(SessionInUseError, match="another program"):
            SessionStore.reopen(folder, environment={}, started_s=0.0)
        with SessionReader(folder) as reader:
            assert len(reader.table("runs")) == 1
    SessionStore.reopen(folder, environment={}, started_s=0.0).abandon()


def test_the_lock_of_a_killed_engine_holds_nobody_up(whole: Path, tmp_path: Path) -> None:
    folder = Path(shutil.copytree(whole, tmp_path / "one"))
    code = (
        "import sys, time; from pathlib import Path; from closedloop.session import SessionStore;"
        "s = SessionStore.reopen(Path(sys.argv[1]), environment={}, started_s=0.0);"
        "print('open', flush=True); time.sleep(60)"
    )
    with subprocess.Popen(
        [sys.executable, "-c", code, str(folder)], cwd=ROOT, stdout=subprocess.PIPE, text=True
    ) as engine:
        assert engine.stdout is not None
        assert engine.stdout.readline() == "open\n"
        with pytest.raises(SessionInUseError):
            SessionLock(folder)
        engine.kill()
        engine.wait()
    SessionStore.reopen(folder, environment={}, started_s=0.0).abandon()


def test_a_file_damaged_inside_is_said_to_be(whole: Path, tmp_path: Path) -> None:
    folder = Path(shutil.copytree(whole, tmp_path / "one"))
    check(folder / FILE_NAME)
    data = bytearray((folder / FILE_NAME).read_bytes())
    data[len(data) // 2 : len(data) // 2 + 4000] = bytes(4000)
    (folder / FILE_NAME).write_bytes(data)
    with pytest.raises(SessionDamagedError, match="sound session file"):
        check(folder / FILE_NAME)


def test_a_whole_session_is_read_as_it_was(whole: Path) -> None:
    with SessionReader(whole) as reader:
        history = read_history(reader)
        trials, images = reader.table("trials"), reader.table("images")
        assert history.next_generation == history.bred == 3
        assert (history.next_image, history.first_trial) == (len(images), len(trials))
        assert history.valid == (trials["status"] == "valid").sum()
        assert history.invalid == (trials["status"] == "invalid").sum() > 0
        assert history.elapsed_s == pytest.approx(trials["judged_s"].max() - 1000.0, abs=0.1)
        for generation, (bred,) in enumerate(history.complete):
            assert bred.population.codes.tobytes() == reader.codes(0, generation).tobytes()
            assert bred.told is not None
            assert len(bred.told) == len(bred.images) == 5
        assert set(history.references[0]) <= set(history.pixels)


def test_a_hole_among_the_trials_is_named(whole: Path, tmp_path: Path) -> None:
    folder = Path(shutil.copytree(whole, tmp_path / "one"))
    connection = open_writer(folder / FILE_NAME)
    connection.execute("DELETE FROM trials WHERE trial = 5")
    connection.close()
    with pytest.raises(SessionDamagedError, match="trial 5"):
        resume(folder)
