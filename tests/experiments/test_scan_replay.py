"""Scanner sessions told, verified, played and shown again; what makes no sense for them is refused in words."""

from __future__ import annotations

import shutil
import sqlite3
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from scan_session_factory import ABORTED, write_scan_session

from closedloop.errors import SessionError, VerificationError
from closedloop.protocol.sections.display import Display
from closedloop.replay.recordings import open_recording
from closedloop.replay.scan_verification import ScanCheck
from closedloop.replay.summary import summarise
from closedloop.session import SessionReader
from experiments.replay_follow import follow_session
from experiments.replay_rescore import rescore_session
from experiments.replay_screen import looks_of, pixels_of, play, trials_of
from experiments.replay_verify import verify_session
from hardware.clock import VirtualClock
from hardware.stage.simulated import SimulatedStage


@pytest.fixture(scope="module")
def session(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_scan_session(tmp_path_factory.mktemp("scan") / "aborted", ABORTED)


def changed(session: Path, to: Path, sql: str) -> Path:
    folder = Path(shutil.copytree(session, to))
    connection = sqlite3.connect(folder / "session.sqlite")
    connection.execute(sql)
    connection.commit()
    connection.close()
    return folder


def test_each_scan_run_is_told_in_a_line(session: Path) -> None:
    with SessionReader(session) as reader:
        summary = summarise(reader)
    assert summary.damages == []
    lines = dict(summary.lines)
    assert lines["scan runs"] == "2 of 2 completed, 4 armed"
    assert "40 of 40 volumes" in lines["scan run 1"]
    assert "1 invalid" in lines["scan run 1"]
    assert "missed 1" in lines["scan run 2"]
    assert "no pulse came" in lines["scan run 2, attempt 2"]
    assert "+0.85 %" in lines["scan run 2, attempt 3"]
    assert "schema 2" in lines["session file"]


def test_a_whole_session_verifies(session: Path) -> None:
    found = verify_session(session)
    assert found.first is None
    with SessionReader(session) as reader:
        assert found.compared[ScanCheck.PULSES] == len(reader.table("pulses"))  # type: ignore[index]  # of a scan
        assert found.compared[ScanCheck.PLANS] == len(reader.table("planned"))  # type: ignore[index]  # of a scan
        assert found.compared[ScanCheck.ANSWERS] == len(reader.table("presses"))  # type: ignore[index]  # of a scan
    assert found.compared[ScanCheck.IMAGES] == 8  # type: ignore[index]  # of a scan


@pytest.mark.parametrize(
    ("sql", "named"),
    [
        (
            "UPDATE planned SET onset_s = onset_s + 0.001 WHERE scan = 1 AND event = 3",
            "run 2, event 3: onset",
        ),
        ("UPDATE planned SET fields = '{\"one_back\": 1}' WHERE scan = 0 AND event = 0", "event 0: fields"),
        ("UPDATE pulses SET verdict = 'extra' WHERE scan = 0 AND pulse = 11", "run 1, pulse 11: verdict"),
        (
            "UPDATE pulses SET time_s = time_s + 1e-6 WHERE scan = 3 AND pulse = 20",
            "attempt 3, pulse 20: residual",
        ),
        ("UPDATE scans SET start_s = start_s + 0.0001 WHERE scan = 0", "run 1: start"),
        ("UPDATE images SET sha256 = '0' WHERE image = 2", "image 2: image byte"),
        ("UPDATE images SET code = zeroblob(length(code)) WHERE image = 5", "image 5: code"),
        ("UPDATE trials SET status = 'invalid', reason = 'late' WHERE trial = 4", "trial 4: judgement"),
        ("UPDATE trials SET on_frames = 29 WHERE trial = 6", "trial 6: frames"),
        ("UPDATE presses SET event = NULL WHERE scan = 0 AND press = 0", "run 1, press 0: answer"),
    ],
)
def test_the_first_difference_is_named(session: Path, tmp_path: Path, sql: str, named: str) -> None:
    with pytest.raises(VerificationError) as error:
        verify_session(changed(session, tmp_path / "changed", sql))
    assert named in str(error.value).replace(": found ", ": ")


@pytest.mark.parametrize("use", [rescore_session, follow_session], ids=["rescore", "follow"])
def test_what_is_for_evolutions_is_refused(session: Path, use: Callable[..., object]) -> None:
    with pytest.raises(SessionError, match="a session in a scanner"):
        use(session) if use is follow_session else use(session, [])


def test_markers_and_pulses_are_played(session: Path) -> None:
    recording = open_recording(session)
    roles = [stream.role for stream in recording.streams]
    assert roles == ["markers", "trigger"]
    with SessionReader(session) as reader:
        pulses = reader.table("pulses").sort_values("time_s")
        start_s = float(reader.table("runs")["started_s"].iloc[0])
    blocks = list(recording.blocks(1))
    times = np.concatenate([block.times_s for block in blocks])
    assert times == pytest.approx((pulses["time_s"] - start_s).tolist())
    assert [str(value) for block in blocks for value in block.values[:, 0]] == pulses["mark"].tolist()
    marked = [str(value) for block in recording.blocks(0) for value in block.values[:, 0]]
    assert sum('"event": "volume"' in text for text in marked) == int((pulses["verdict"] == "volume").sum())


def test_images_are_shown_again_at_their_spacing(session: Path) -> None:
    with SessionReader(session) as reader:
        looks = looks_of(reader)
        trials = trials_of(reader, looks, skip_invalid=False)[:8]
        pixels = pixels_of(reader)
        clock = VirtualClock()
        seen: list[float] = []
        stage = SimulatedStage(
            clock,
            Display(refresh_hz=60),
            pixels(trials[0].image).shape,
            on_show=lambda _n, _image, on_s, _off_s: seen.append(on_s),
        )
        assert play(stage, clock, trials, pixels) == 8
    assert looks.places == (((0.0, 0.0), (8.0, 8.0)),)
    recorded = np.array([trial.onset_s for trial in trials])
    assert np.abs((np.array(seen) - seen[0]) - (recorded - recorded[0])).max() <= 0.51 / 60
