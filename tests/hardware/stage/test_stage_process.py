"""The stage's process: how it ends, and what holds it up."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import psutil
import pytest
from Xlib import X, display
from Xlib.protocol import event

from closedloop.errors import NoDisplayError, RefreshError
from closedloop.ports import Onset, Shown, StageClosed
from closedloop.protocol.models import Display, Presentation
from hardware.stage import PsychopyStage

pytestmark = pytest.mark.display

SHAPE = (48, 64, 3)

# an engine whose main module would bring torch, were it imported again in the stage's process
ENGINE = """
import sys, time, types
sys.modules["torch"] = types.ModuleType("torch")
from closedloop.protocol.models import Display, Presentation
from hardware.stage import PsychopyStage
if __name__ == "__main__":
    stage = PsychopyStage(Display(size_px=(320, 240)), Presentation(), (8, 8, 3), 2)
    details = stage.open().details
    print(details["pid"], details["torch_loaded"], flush=True)
    time.sleep(60)
"""


@pytest.fixture
def lone_stage(screen: Any) -> Iterator[tuple[PsychopyStage, int]]:
    stage = PsychopyStage(Display(size_px=(320, 240)), Presentation(), SHAPE, 2)
    try:
        yield stage, stage.open().details["pid"]
    finally:
        stage.close()


def wait_for_end(stage: PsychopyStage, timeout_s: float) -> tuple[StageClosed, float]:
    start = time.monotonic()
    while time.monotonic() - start < timeout_s:
        for happened in stage.poll():
            if isinstance(happened, StageClosed):
                return happened, time.monotonic() - start
        time.sleep(0.005)
    raise AssertionError(f"no StageClosed in {timeout_s} s")


def gone(process: psutil.Process) -> bool:
    try:
        return bool(process.status() == psutil.STATUS_ZOMBIE)  # nobody may be there to bury it
    except psutil.NoSuchProcess:
        return True


def test_a_killed_stage_is_noticed_at_once(lone_stage: tuple[PsychopyStage, int]) -> None:
    stage, pid = lone_stage
    os.kill(pid, signal.SIGKILL)
    end, took_s = wait_for_end(stage, 5)
    assert took_s < 0.5
    assert not end.by_hand
    assert "SIGKILL" in end.reason
    assert list(stage.poll()) == []  # told once
    stage.load(0, np.zeros(SHAPE, np.uint8))  # and nothing fails that comes after


def test_a_window_closed_by_hand_is_told_as_such(lone_stage: tuple[PsychopyStage, int], screen: Any) -> None:
    stage, pid = lone_stage
    os.kill(pid, signal.SIGINT)  # Ctrl-C reaches the whole group; the stage must not mind
    time.sleep(0.1)
    server = display.Display(screen.name)
    names = [(w, w.get_wm_name()) for w in server.screen().root.query_tree().children]
    windows = [w for w, name in names if name == "closedloop stage" and w.get_geometry().width == 320]
    assert windows, names
    protocols, delete = server.intern_atom("WM_PROTOCOLS"), server.intern_atom("WM_DELETE_WINDOW")
    for window in windows:
        message = event.ClientMessage(
            window=window, client_type=protocols, data=(32, [delete, X.CurrentTime, 0, 0, 0])
        )
        window.send_event(message)
    server.sync()
    end, took_s = wait_for_end(stage, 5)
    server.close()
    assert end.by_hand
    assert took_s < 1.0
    psutil.Process(pid).wait(5)


def test_the_stage_goes_with_its_engine_and_has_nothing_of_its_main_module(
    screen: Any, tmp_path: Path
) -> None:
    script = tmp_path / "engine.py"
    script.write_text(ENGINE)
    root = Path(__file__).parents[3]
    engine = subprocess.Popen(
        [sys.executable, script],
        stdout=subprocess.PIPE,
        text=True,
        cwd=root,
        env=os.environ | {"PYTHONPATH": str(root)},
    )
    try:
        assert engine.stdout is not None
        pid, torch_loaded = engine.stdout.readline().split()
        engine.stdout.close()
        process = psutil.Process(int(pid))
        assert not gone(process)
    finally:
        engine.kill()
        engine.wait()
    assert torch_loaded == "False"
    until = time.monotonic() + 1.0
    while not gone(process):
        assert time.monotonic() < until, "the stage is still there"
        time.sleep(0.01)


def test_an_engine_that_does_not_read_loses_nothing(real: Any) -> None:
    real.stage.load(0, np.zeros(SHAPE, np.uint8))
    trials = [real.show(0, 1, 0) for _ in range(240)]  # 480 messages: more than a pipe holds
    time.sleep(240 / 60 + 1.0)
    real.until_shown(trials[-1])
    shown = [e for e in real.seen if isinstance(e, Shown) and e.trial in trials]
    onsets = [e for e in real.seen if isinstance(e, Onset) and e.trial in trials]
    assert [e.trial for e in shown] == [e.trial for e in onsets] == trials
    # the frames went on meanwhile; single ones may be lost to the other tests on this machine
    span_s = shown[-1].flips_s[-1] - shown[0].flips_s[0]
    assert span_s < (len(trials) + 30) / 60


def test_a_missed_frame_is_found_in_its_trial(real: Any) -> None:
    pid = real.report.details["pid"]
    real.stage.load(0, np.zeros(SHAPE, np.uint8))
    before, hit, after = (real.show(0, 20, 2) for _ in range(3))
    real.until_on(hit)
    real.wait(0.1)
    os.kill(pid, signal.SIGSTOP)
    time.sleep(0.2)  # more than a busy machine takes away by itself
    os.kill(pid, signal.SIGCONT)
    shown = real.until_shown(hit)
    assert shown.missed >= 10
    assert len(shown.flips_s) == 23  # as many frames as ordered: it lasts longer, and says so
    for other in (before, after):
        assert real.until_shown(other).missed < shown.missed
    # and no burst after it
    assert np.diff(shown.flips_s).min() > 0.3 / 60


def test_a_refresh_that_the_display_has_not_is_refused(screen: Any) -> None:
    stage = PsychopyStage(Display(size_px=(640, 480), refresh_hz=2000.0), Presentation(), SHAPE, 2)
    with pytest.raises(RefreshError, match=r"expected 2000 Hz, with at most 10%"):
        stage.open()
    stage.close()


def test_a_screen_that_is_not_there_is_refused(screen: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    stage = PsychopyStage(Display(size_px=(640, 480), screen=3), Presentation(), SHAPE, 2)
    with pytest.raises(NoDisplayError, match=r"display\.screen: found 3"):
        stage.open()
    monkeypatch.setenv("DISPLAY", ":987")
    with pytest.raises(NoDisplayError, match="no screen"):
        PsychopyStage(Display(), Presentation(), SHAPE, 2).open()
