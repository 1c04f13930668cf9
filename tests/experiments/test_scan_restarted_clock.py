"""A scan session that went on after a restart of the machine, whose clock began anew, is played run by run."""

from __future__ import annotations

import sqlite3
from pathlib import Path

import numpy as np
import pytest
from simulated_scan import HastyClock, prepare_scan, resume_simulated

from closedloop.replay.recordings import Block, Recording, open_recording

SHORT = ("runs.count=1", "task=null", "scanner.volumes=12")


@pytest.fixture(scope="module")
def session(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Its first run is at 90000 s of the clock, its second one at 1000 s."""
    folder = tmp_path_factory.mktemp("restarted") / "one"
    assert prepare_scan(folder, *SHORT, clock=HastyClock(start_s=90_000.0)).run().exit_status == "completed"
    assert resume_simulated(folder, "runs.count=2").run().exit_status == "completed"
    return folder


def played(recording: Recording, role: str) -> np.ndarray:
    (stream,) = (number for number, one in enumerate(recording.streams) if one.role == role)
    blocks = [piece for piece in recording.blocks(stream) if isinstance(piece, Block)]
    return np.concatenate([block.times_s for block in blocks])


def test_the_triggers_of_the_first_run_are_played_first(session: Path) -> None:
    times_s = played(open_recording(session), "trigger")
    assert (np.diff(times_s) > 0).all()
    with sqlite3.connect(session / "session.sqlite") as connection:
        stamps = connection.execute("SELECT time_s FROM pulses ORDER BY run, time_s").fetchall()
    first, second = (np.array(stamps[part]).ravel() for part in (slice(0, 13), slice(13, 26)))
    np.testing.assert_allclose(np.diff(times_s[:13]), np.diff(first), atol=1e-6)
    np.testing.assert_allclose(np.diff(times_s[13:]), np.diff(second), atol=1e-6)


def test_a_run_whose_markers_were_lost_is_placed_by_its_triggers(session: Path, tmp_path: Path) -> None:
    recording = open_recording(without_markers(session, tmp_path))
    assert [stream.role for stream in recording.streams] == ["trigger"]
    assert (np.diff(played(recording, "trigger")) > 0).all()


def without_markers(session: Path, to: Path) -> Path:
    with sqlite3.connect(session / "session.sqlite") as there, sqlite3.connect(to / "session.sqlite") as here:
        there.backup(here)
        here.execute("DELETE FROM markers")
    return to
