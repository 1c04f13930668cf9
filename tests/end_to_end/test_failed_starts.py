"""What can be wrong before a session begins ends with its own exit code, in plain words, and leaves nothing."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from benchmarks.sessions import PROTOCOL, Program, settings
from hardware.display import VirtualDisplay

pytestmark = pytest.mark.patient


def _run(tmp_path: Path, *words: str, **environment: str) -> tuple[int, str]:
    with Program(words, tmp_path / "told.txt", environment) as program:
        return program.wait(), program.told


def test_no_stream(tmp_path: Path, screen: VirtualDisplay, small: Path) -> None:
    out = tmp_path / "sessions"
    changes = settings("response.stream.source_id=nobody", "limits.wait_for_stream_s=1")
    code, told = _run(tmp_path, "run", str(small), "--out", str(out), *changes, DISPLAY=screen.name)
    assert code == 5
    assert "nobody" in told
    assert "what to do" in told
    assert not out.exists()


def test_a_sessions_folder_that_cant_be_made(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("in the way", encoding="utf-8")
    out = tmp_path / "file" / "sessions"
    # no display, no stream: it is found out before either is opened
    code, told = _run(tmp_path, "run", str(PROTOCOL), "--out", str(out), DISPLAY="")
    assert code == 8
    assert "what to do" in told
    assert "--out" in told


def test_a_wrong_key(tmp_path: Path) -> None:
    out = tmp_path / "sessions"
    code, told = _run(tmp_path, "run", str(PROTOCOL), "--out", str(out), "--set", "limits.generation=3")
    assert code == 3
    assert "generations" in told  # did you mean
    assert not out.exists()


def test_missing_weights(tmp_path: Path) -> None:
    out = tmp_path / "sessions"
    empty = {"XDG_CACHE_HOME": str(tmp_path / "cache"), "CLOSEDLOOP_MODELS": ""}
    code, told = _run(tmp_path, "run", str(PROTOCOL), "--out", str(out), **empty)
    assert code == 4
    assert "closedloop models fetch" in told
    assert not out.exists()


def test_weights_that_are_not_the_ones_of_the_protocol(tmp_path: Path) -> None:
    out = tmp_path / "sessions"
    wrong = tmp_path / "weights.tar"
    wrong.write_bytes(os.urandom(1000))
    generator = f"threads.0.generator={{name: dcgan, weights: {wrong}, sha256: '{'0' * 64}'}}"
    code, told = _run(tmp_path, "run", str(PROTOCOL), "--out", str(out), "--set", generator)
    assert code == 4
    assert "SHA-256" in told
    assert not out.exists()
