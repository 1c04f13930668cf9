from __future__ import annotations

import contextlib
import subprocess
import sys
import uuid
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pytest
from session_factory import SessionPlan, write_session
from simulated_session import QuietOperator, brightness, prepare
from typer.testing import CliRunner

from closedloop.errors import RecordingError
from closedloop.ports import Pixels, Rig
from closedloop.protocol.load import load_protocol
from closedloop.replay.following import FollowedSession
from closedloop.session import SessionReader
from experiments.cli import app
from experiments.prepare import make_threads
from experiments.rig import OpenedRig
from experiments.session import run_session
from hardware.clock import LslClock
from hardware.lsl.proxy import LslLink
from hardware.stage.simulated import SimulatedStage

Follow = Callable[..., "subprocess.Popen[str]"]
_UNITS = 2


def _two_units(trial: int, image: Pixels) -> np.ndarray:
    """Two units whose noise hangs on the trial's number, so that no other trial could answer for it."""
    noise = np.random.default_rng(trial).uniform(0, 20)
    return np.array([brightness(trial, image)[0] + noise, noise])


@pytest.fixture
def follow() -> Iterator[Follow]:
    """Follow with a recording, in a process of its own."""
    with contextlib.ExitStack() as stack:

        def start(folder: Path, *words: str) -> subprocess.Popen[str]:
            process = subprocess.Popen(
                [
                    sys.executable,
                    "-m",
                    "experiments.cli",
                    "replay",
                    str(folder),
                    "--stream",
                    "--follow",
                    *words,
                ],
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                stderr=subprocess.STDOUT,
                text=True,
            )
            stack.callback(process.wait)
            stack.callback(process.kill)
            return process

        yield start


def _live_session(folder: Path, protocol: Path, overrides: tuple[str, ...], missed_frames: float) -> None:
    """A session with LSL as at a rig; only its window is simulated."""
    folder.mkdir()
    loaded = load_protocol(protocol, overrides)
    threads = make_threads(loaded.protocol)
    clock = LslClock()
    link = LslLink(loaded.protocol.response, folder.name, units=[0, 1], wait_for_stream_s=20, clock=clock)
    stage = SimulatedStage(
        clock, loaded.protocol.display, threads[0].generator.image_shape, missed_frames=missed_frames, seed=3
    )
    with contextlib.closing(link):
        streams = link.open()
        opened = OpenedRig(Rig(clock, stage, link, link), stage.open(), streams)
        outcome = run_session(folder, loaded, threads, opened, QuietOperator())
    assert outcome.exit_status == "completed"


@pytest.mark.lsl
@pytest.mark.parametrize(
    ("kind", "missed_frames", "words", "off_hz"),
    [
        ("spikes", 0.005, ["--lag", "300"], 0.0),
        # onset and bins are moved by hours and back, which rounds their times
        ("rates", 0.0, [], 1e-9),
        ("counts", 0.0, [], 1e-9),
    ],
)
def test_a_session_on_a_replayed_stream_gets_the_recorded_scores(
    tmp_path: Path, follow: Follow, kind: str, missed_frames: float, words: list[str], off_hz: float
) -> None:
    own = uuid.uuid4().hex[:8]
    overrides = (
        "threads.0.optimizer.parameters.population=8",
        "threads.0.optimizer.parameters.n_conserve=2",
        f"response.kind={kind}",
        f"response.stream.source_id=follow-{own}",
        f"response.expected_rate_hz={'null' if kind == 'spikes' else 1000}",
        f"response.unit_count={_UNITS if kind == 'spikes' else 'null'}",
        "response.liveness.late_after_ms=500",
        "response.liveness.lost_after_ms=800",
        "limits.generations=3",
        "limits.max_repeats=50",
    )
    recorded = prepare(
        tmp_path / f"recorded-{own}", *overrides, respond=_two_units, units=_UNITS, missed_frames=0.01
    )
    recorded.run()
    process = follow(recorded.folder, "--session", f"live-{own}", *words)
    live = tmp_path / f"live-{own}"
    _live_session(live, tmp_path / f"recorded-{own}.yaml", overrides, missed_frames)
    said, _ = process.communicate(timeout=20)
    assert process.returncode == 0, said
    assert "trials got their recorded samples" in said
    with SessionReader(recorded.folder) as first, SessionReader(live) as second:
        for generation in range(3):
            np.testing.assert_array_equal(first.codes(0, generation), second.codes(0, generation))
        keys = ["thread", "generation", "image"]
        mine, theirs = (reader.table("scores").sort_values(keys) for reader in (first, second))
        assert len(mine) == 3 * 10
        for column in (*keys, "n"):
            np.testing.assert_array_equal(mine[column], theirs[column], err_msg=said)
        for column in ("mean", "score"):
            np.testing.assert_allclose(mine[column], theirs[column], rtol=0, atol=off_hz, err_msg=said)
        # the recording has trials that did not count: their images were shown again, under other numbers
        assert (first.table("trials")["status"] == "invalid").any()


def test_a_session_without_a_valid_trial_can_not_answer(tmp_path: Path) -> None:
    folder = write_session(tmp_path / "s", SessionPlan(generations=1, invalid_share=1.0))
    with pytest.raises(RecordingError, match="no valid trial"):
        FollowedSession(folder)


def test_a_baseline_before_onset_needs_more_lag_and_a_note_says_so(tmp_path: Path) -> None:
    prepare(tmp_path / "s", "response.baseline={start_ms: -100, end_ms: 0}").run()
    followed = FollowedSession(tmp_path / "s")
    assert followed.lag_s == pytest.approx(0.08 + 0.1 + 0.002)
    assert "late_after_ms=232" in followed.notes[0]
    assert FollowedSession(tmp_path / "s", lag_s=0.05).notes == []


@pytest.mark.parametrize(
    "words", [["--verify", "--follow"], ["--stream", "--follow", "--loop"], ["--stream", "--session", "x"]]
)
def test_follow_goes_with_stream_alone(tmp_path: Path, words: list[str]) -> None:
    result = CliRunner().invoke(app, ["replay", str(tmp_path), *words])
    assert result.exit_code == 2
