from __future__ import annotations

import sqlite3
from pathlib import Path

import numpy as np
import pytest
from session_factory import SessionPlan, write_session

from closedloop.errors import RecordingError, SessionError
from closedloop.ports import Chunk
from closedloop.replay.recordings import Block, Damage, Recording, open_recording
from closedloop.replay.recordings.runs import Run, shifts
from closedloop.session import SessionReader, SessionStore


def _all(recording: Recording, stream: int, since_s: float = 0.0) -> Block:
    blocks = [piece for piece in recording.blocks(stream, since_s) if isinstance(piece, Block)]
    return Block(
        np.concatenate([block.times_s for block in blocks]),
        np.concatenate([block.values for block in blocks]),
    )


def test_samples_and_markers_are_those_of_the_file(tmp_path: Path) -> None:
    folder = write_session(tmp_path / "s", SessionPlan(generations=2))
    recording = open_recording(folder)
    response, markers = recording.streams
    assert (response.role, response.name, response.type, response.source_id) == (
        "response",
        "Synthetic",
        "Rates",
        "synthetic",
    )
    with SessionReader(folder) as reader:
        samples, rows = reader.samples("response"), reader.table("markers")
    played = _all(recording, 0)
    np.testing.assert_array_equal(played.values, samples.values)
    np.testing.assert_allclose(np.diff(played.times_s), np.diff(samples.times_s), atol=1e-9)
    assert markers.source_id == "closedloop-s"
    sent = _all(recording, 1)
    start_s = samples.times_s[0]
    np.testing.assert_allclose(sent.times_s + start_s, rows["time_s"], atol=1e-9)
    assert recording.duration_s == pytest.approx(max(samples.times_s[-1], rows["time_s"].max()) - start_s)


@pytest.mark.parametrize("kind", ["rates", "spikes"])
def test_reading_from_anywhere_gives_the_rest_and_nothing_else(tmp_path: Path, kind: str) -> None:
    plan = SessionPlan(
        generations=3, kind=kind, resumed=True, trouble=True, exit_status=None, half_generation=True
    )
    recording = open_recording(write_session(tmp_path / "s", plan))
    whole = _all(recording, 0)
    due_s = np.maximum.accumulate(whole.times_s)
    for since_s in (
        *np.random.default_rng(1).uniform(0, recording.duration_s * 0.9, 20),
        due_s[40],
        due_s[41],
    ):
        rest = _all(recording, 0, since_s)
        kept = due_s >= since_s
        np.testing.assert_allclose(rest.times_s, whole.times_s[kept], atol=1e-9)
        np.testing.assert_array_equal(rest.values, whole.values[kept])


def test_a_broken_chunk_leaves_a_hole_and_is_named(tmp_path: Path) -> None:
    folder = write_session(tmp_path / "s", SessionPlan(generations=1))
    whole = _all(open_recording(folder), 0)
    with sqlite3.connect(folder / "session.sqlite") as connection:
        connection.execute("UPDATE chunks SET data = x'00ff' WHERE sequence = 3")
        (samples,) = connection.execute("SELECT samples FROM chunks WHERE sequence = 3").fetchone()
    recording = open_recording(folder)
    damages = [piece for piece in recording.blocks(0) if isinstance(piece, Damage)]
    assert [damage.where for damage in damages] == ["chunk 3 of response, run 0"]
    left = _all(recording, 0)
    assert len(left.times_s) == len(whole.times_s) - samples
    assert np.isin(left.times_s, whole.times_s).all()


def test_what_is_written_after_opening_is_not_played(tmp_path: Path) -> None:
    folder = write_session(tmp_path / "s", SessionPlan(generations=1, exit_status=None))
    recording = open_recording(folder)
    before = len(_all(recording, 0).times_s)
    writer = sqlite3.connect(folder / "session.sqlite")
    with writer:
        writer.execute(
            "INSERT INTO chunks SELECT run, role, sequence + 100000, segment, samples, channels, dtype,"
            " first_s + 100, last_s + 100, correction_s, uncertainty_s, received_s, written_s, stamps, data"
            " FROM chunks WHERE sequence = 5"
        )
    writer.close()
    assert len(_all(recording, 0).times_s) == before
    assert len(_all(open_recording(folder), 0).times_s) > before


def test_a_stream_of_another_form_in_a_later_run_is_left_out(tmp_path: Path) -> None:
    folder = write_session(tmp_path / "s", SessionPlan(generations=2, resumed=True))
    with sqlite3.connect(folder / "session.sqlite") as connection:
        connection.execute("UPDATE streams SET info = json_set(info, '$.channels', 5) WHERE run = 1")
    recording = open_recording(folder)
    assert [left.name for left in recording.left_out] == ["response of run 1"]
    assert recording.streams[0].channels == 3


def test_a_session_that_heard_nothing_is_refused(tmp_path: Path) -> None:
    SessionStore.create(tmp_path, meta={"session": "s"}, environment={}, started_s=1.0).abandon()
    with pytest.raises(RecordingError, match="without a single sample or marker"):
        open_recording(tmp_path)


def test_a_folder_without_a_session_is_refused(tmp_path: Path) -> None:
    with pytest.raises(SessionError, match="no such file"):
        open_recording(tmp_path)


def _run(number: int, started_s: float, utc: str, length_s: float = 10.0) -> Run:
    return Run(number, started_s, f"2026-11-21T{utc}+00:00", started_s + 1, started_s + length_s)


def test_runs_of_one_boot_keep_their_times() -> None:
    shift_s, notes = shifts([_run(0, 100.0, "10:00:00"), _run(1, 400.0, "10:05:01")])
    assert shift_s == {0: 0.0, 1: 0.0}
    assert notes == []


def test_a_run_after_a_restart_of_the_machine_is_placed_by_the_wall_clock() -> None:
    shift_s, notes = shifts([_run(0, 5000.0, "10:00:00"), _run(1, 20.0, "10:05:00")])
    assert shift_s[1] + 20.0 == pytest.approx(5300.0)
    assert "wall clock" in notes[0]


def test_runs_whose_clocks_contradict_each_other_follow_each_other() -> None:
    shift_s, notes = shifts([_run(0, 5000.0, "10:00:00"), _run(1, 20.0, "09:00:00")])
    assert shift_s[1] + 21.0 == pytest.approx(5011.0)
    assert "1 s after it" in notes[-1]


def test_a_marker_that_is_no_json_is_played_as_it_stands(tmp_path: Path) -> None:
    folder = write_session(tmp_path / "s", SessionPlan(generations=1, samples=False))
    with sqlite3.connect(folder / "session.sqlite") as connection:
        connection.execute("UPDATE markers SET payload = '{broken' WHERE marker = 2")
    assert _all(open_recording(folder), 0).values[1, 0] == "{broken"


def test_channels_that_change_within_a_run_are_damage_and_no_crash(tmp_path: Path) -> None:
    folder = write_session(tmp_path / "s", SessionPlan(generations=1, exit_status=None))
    store = SessionStore.reopen(folder, environment={}, started_s=1100.0)
    store.run = 0
    store.add_chunk(
        Chunk("response", 0, 9999, np.array([1100.5]), np.zeros((1, 7), "f4"), 0.0, 0.0, 1101.0), 1101.0
    )
    store.abandon()
    last = list(open_recording(folder).blocks(0))[-1]
    assert isinstance(last, Damage)
    assert "7 channels of float32" in last.what
