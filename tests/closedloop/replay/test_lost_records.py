"""Recordings of sessions that lost rows, as a salvage leaves them: what can't be played is named, the rest is played."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from salvaged_session import lose, saved
from scan_session_factory import Attempt, ScanPlan, write_scan_session
from session_factory import SessionPlan, write_session

from closedloop.errors import RecordingError, SessionDamagedError
from closedloop.replay.following import FollowedSession
from closedloop.replay.recordings import Block, Recording, open_recording
from closedloop.replay.recordings.runs import UNRECORDED, Run, shifts

GOLDEN = Path(__file__).resolve().parents[2] / "golden" / "schema-2"


def times(recording: Recording) -> list[list[float]]:
    return [
        np.concatenate([one.times_s for one in recording.blocks(at) if isinstance(one, Block)]).tolist()
        for at in range(len(recording.streams))
    ]


@pytest.fixture
def session(tmp_path: Path) -> Path:
    folder = write_session(tmp_path / "s", SessionPlan(generations=2, resumed=True))
    lose(  # made up in no time, while its clock went on: the wall clock is to say the same
        folder,
        "UPDATE runs SET started_utc = strftime('%Y-%m-%dT%H:%M:%f+00:00', 1795000000 + started_s, 'unixepoch')",
    )
    return folder


@pytest.mark.parametrize(
    "loss", ["DELETE FROM streams", "UPDATE streams SET info = json_remove(info, '$.source_id')"]
)
def test_samples_without_a_description_are_left_out_and_named(loss: str, session: Path) -> None:
    lose(session, loss)
    recording = open_recording(session)
    assert [stream.role for stream in recording.streams] == ["markers"]
    assert [left.name for left in recording.left_out] == ["response of run 0", "response of run 1"]
    assert all("description is lost" in left.reason for left in recording.left_out)


def test_runs_that_are_described_are_played(session: Path) -> None:
    whole = open_recording(session)
    lose(session, "DELETE FROM streams WHERE run = 1")
    recording = open_recording(session)
    assert [left.name for left in recording.left_out] == ["response of run 1"]
    response, _ = times(recording)
    assert response == times(whole)[0][: len(response)]
    assert 0 < len(response) < len(times(whole)[0])


def test_if_nothing_is_left_the_error_says_what_was_lost(session: Path) -> None:
    lose(session, "DELETE FROM streams", "DELETE FROM markers")
    with pytest.raises(RecordingError, match="response of run 0: its description is lost"):
        open_recording(session)


def test_a_salvaged_session_that_can_not_answer_says_what_was_lost(tmp_path: Path) -> None:
    salvaged = saved(GOLDEN / "rates", tmp_path / "s", "DELETE FROM streams")
    assert [left.name for left in open_recording(salvaged).left_out] == ["response of run 0"]
    with pytest.raises(RecordingError, match="response of run 0: its description is lost"):
        FollowedSession(salvaged)


@pytest.mark.parametrize("lost", [(0,), (1,), (0, 1)])
def test_runs_without_their_record_are_played_all_the_same(lost: tuple[int, ...], session: Path) -> None:
    whole = times(open_recording(session))
    for run in lost:
        lose(session, f"DELETE FROM runs WHERE run = {run:d}")  # noqa: S608 - a number of this file's
    recording = open_recording(session)
    assert times(recording) == whole
    assert [note.split(" is lost")[0] for note in recording.notes] == [
        f"the record of run {run}" for run in lost
    ]


def test_pulses_are_played_without_markers_or_the_record_of_their_run(tmp_path: Path) -> None:
    session = write_scan_session(tmp_path / "s", ScanPlan((Attempt(0), Attempt(1))))
    lose(session, "DELETE FROM markers", "DELETE FROM runs")
    recording = open_recording(session)
    assert [stream.role for stream in recording.streams] == ["trigger"]
    assert len(times(recording)[0]) == 2 * 42


def test_what_is_odd_in_a_damaged_file_is_one_clear_error(session: Path) -> None:
    lose(session, "UPDATE streams SET info = json_set(info, '$.channels', 'x')", "DELETE FROM runs")
    with pytest.raises(SessionDamagedError, match="salvage"):
        open_recording(session)


def test_a_marker_that_is_no_object_is_played_as_it_stands(session: Path) -> None:
    lose(session, "UPDATE markers SET payload = '[1]' WHERE marker = 2", "DELETE FROM streams")
    recording = open_recording(session)
    sent = np.concatenate([one.values for one in recording.blocks(0) if isinstance(one, Block)])
    assert sent[1, 0] == "[1]"


def test_a_run_without_its_record_is_where_the_run_before_it_is() -> None:
    restarted = Run(1, 20.0, "2026-11-21T10:05:00+00:00", 21.0, 30.0)
    shift_s, notes = shifts(
        [
            Run(0, 5000.0, "2026-11-21T10:00:00+00:00", 5001.0, 5010.0),
            restarted,
            Run(2, *UNRECORDED, first_s=40.0, last_s=50.0),
            Run(3, 60.0, "2026-11-21T10:05:40+00:00", 61.0, 70.0),
        ]
    )
    assert shift_s[1] == shift_s[2] == shift_s[3] == pytest.approx(5280.0)
    assert "record of run 2 is lost" in notes[1]


def test_runs_that_follow_one_without_its_record_keep_their_distance() -> None:
    shift_s, _ = shifts(
        [
            Run(0, *UNRECORDED, first_s=5000.0, last_s=5010.0),
            Run(1, 20.0, "2026-11-21T10:05:00+00:00", 21.0, 30.0),
            Run(2, 40.0, "2026-11-21T10:05:20+00:00", 41.0, 50.0),
        ]
    )
    assert shift_s[1] + 21.0 == pytest.approx(5011.0)
    assert shift_s[2] == shift_s[1]
