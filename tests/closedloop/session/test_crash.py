"""What was acknowledged survives: SIGKILL at any instant, and a full disk."""

from __future__ import annotations

import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from session_factory import SessionPlan, write_session
from small_disk import mounted

from closedloop.errors import DiskError
from closedloop.exports import export_session
from closedloop.ports import Chunk
from closedloop.session import SessionReader, SessionStore

WRITER = """
import sys
from pathlib import Path
import numpy as np
from closedloop.ports import Chunk, Shown
from closedloop.session import ImageRecord, SessionStore, TrialRecord

store = SessionStore.create(Path(sys.argv[1]), meta={"session": "s"}, environment={}, started_s=0.0)
store.add_thread(0, "evolution", {}, {})
store.begin_generation(0, 0, 0.0)
store.add_images([ImageRecord(0, "evolved", 0, 0, 0, np.zeros(4, dtype=np.float32), None, "random")])
flips = np.linspace(0, 0.2, 13)
for trial in range(1_000_000):
    store.order_trial(TrialRecord(trial, 0, 0, 0, 0, 0, 6, 6), float(trial))
    store.set_shown(Shown(trial, trial + flips, 6, 0, complete=True))
    stamps = trial + np.arange(200) / 1000
    store.add_chunk(Chunk("response", 0, trial, stamps, np.full((200, 8), trial, dtype=np.float32), 0, 0, 0), 0)
    store.accept_trial(trial, np.full(8, float(trial)), None, float(trial), float(trial))
    print(trial, flush=True)
"""


@pytest.mark.skipif(not hasattr(signal, "SIGKILL"), reason="this system has no SIGKILL")
@pytest.mark.parametrize("after_s", [0.05, 0.21, 0.37])
def test_a_killed_writer_loses_no_acknowledged_trial(tmp_path: Path, after_s: float) -> None:
    with subprocess.Popen(
        [sys.executable, "-c", WRITER, str(tmp_path)], stdout=subprocess.PIPE, text=True
    ) as child:
        assert child.stdout is not None
        assert child.stdout.readline() == "0\n"  # it has begun
        time.sleep(after_s)
        child.send_signal(signal.SIGKILL)
        acknowledged = [0, *(int(line) for line in child.stdout if line.endswith("\n"))]
    assert child.returncode == -signal.SIGKILL
    with SessionReader(tmp_path) as reader:
        trials = reader.table("trials")
        valid = trials[trials["status"] == "valid"]["trial"].tolist()
        # one more may have been written than could be said
        assert valid in (acknowledged, [*acknowledged, acknowledged[-1] + 1])
        assert reader.table("responses")["trial"].tolist() == valid
        for trial in valid[-5:]:
            assert reader.rates(trial).tolist() == [float(trial)] * 8
            assert len(reader.flips(trial)) == 13
        samples = reader.samples("response")
        assert (np.diff(samples.values[:, 0]) >= 0).all()
        assert samples.values[:, 0].max() >= acknowledged[-1]
    again = SessionStore.reopen(tmp_path, environment={}, started_s=0.0)
    again.close(ended_s=1.0, exit_status="completed", reason="")
    with SessionReader(tmp_path) as reader:
        assert (reader.table("trials")["status"] == "valid").sum() == len(valid)


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    with mounted(tmp_path / "disk", "1500k") as disk:
        yield disk.folder


def noise(sequence: int) -> Chunk:
    values = np.random.default_rng(sequence).standard_normal((200, 8))
    return Chunk("response", 0, sequence, np.arange(200) / 1000, values, 0.0, 0.0, 0.0)


def fill(store: SessionStore, written: list[int]) -> None:
    """Write until the disk is full."""
    store.add_event("note", 2.0, text="lost")
    for sequence in range(1000):
        store.add_chunk(noise(sequence), 0.0)
        written.append(sequence)


def test_a_full_disk_is_one_clear_error_and_takes_nothing_that_was_there(small_disk: Path) -> None:
    folder = small_disk / "s"
    folder.mkdir()
    store = SessionStore.create(folder, meta={"session": "s"}, environment={}, started_s=0.0)
    with pytest.raises(DiskError, match="Make room on the disk"):
        fill(store, written := [])
    assert len(written) > 10
    store.abandon()
    (small_disk / "s" / "session.sqlite-shm").unlink(missing_ok=True)
    with SessionReader(folder) as reader:
        assert reader.table("chunks")["sequence"].tolist() == written
        for _, _, values in reader.chunk_arrays("response"):
            assert values.shape == (200, 8)


def test_within_a_transaction_a_full_disk_takes_back_the_whole_of_it(small_disk: Path) -> None:
    folder = small_disk / "s"
    folder.mkdir()
    store = SessionStore.create(folder, meta={"session": "s"}, environment={}, started_s=0.0)
    store.add_event("note", 1.0, text="before")
    with pytest.raises(DiskError), store.transaction():
        fill(store, [])
    store.add_event("note", 3.0, text="after")
    store.abandon()
    with SessionReader(folder) as reader:
        assert [d["text"] for d in reader.details("events", "detail")] == ["before", "after"]
        assert reader.table("chunks").empty


def test_exports_that_find_no_room_leave_the_session_alone(tmp_path: Path, small_disk: Path) -> None:
    folder = write_session(tmp_path / "s", SessionPlan(generations=2))
    (small_disk / "filler").write_bytes(b"x" * 1_450_000)
    with pytest.raises(DiskError, match="Make room"):
        export_session(folder, small_disk / "out")
    with SessionReader(folder) as reader:
        assert not reader.table("trials").empty


def test_a_folder_that_is_not_there_is_one_clear_error(tmp_path: Path) -> None:
    with pytest.raises(DiskError):
        SessionStore.create(tmp_path / "absent", meta={}, environment={}, started_s=0.0)
