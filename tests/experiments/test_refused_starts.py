"""What is wrong with words and files ends before anything is opened: own exit code, plain words, nothing left."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from benchmarks.sessions import PROTOCOL
from experiments.cli import main


@pytest.fixture(autouse=True)
def _no_display(monkeypatch: pytest.MonkeyPatch) -> None:
    """Whoever opens one here does it too early."""
    monkeypatch.setenv("DISPLAY", "")


def _run(capsys: pytest.CaptureFixture[str], *words: str) -> tuple[int, str]:
    code = main(["run", str(PROTOCOL), *words])
    captured = capsys.readouterr()
    return code, captured.out + captured.err


def test_a_sessions_folder_that_cant_be_made(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "file").write_text("in the way", encoding="utf-8")
    code, told = _run(capsys, "--out", str(tmp_path / "file" / "sessions"))
    assert code == 8
    assert "what to do" in told
    assert "--out" in told


def test_a_wrong_key(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    code, told = _run(capsys, "--out", str(tmp_path / "sessions"), "--set", "limits.generation=3")
    assert code == 3
    assert "generations" in told  # did you mean
    assert not (tmp_path / "sessions").exists()


def test_missing_weights(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    monkeypatch.setenv("CLOSEDLOOP_MODELS", "")
    code, told = _run(capsys, "--out", str(tmp_path / "sessions"))
    assert code == 4
    assert "closedloop models fetch" in told
    assert not (tmp_path / "sessions").exists()


def test_weights_that_are_not_the_ones_of_the_protocol(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    wrong = tmp_path / "weights.tar"
    wrong.write_bytes(os.urandom(1000))
    generator = f"threads.0.generator={{name: dcgan, weights: {wrong}, sha256: '{'0' * 64}'}}"
    code, told = _run(capsys, "--out", str(tmp_path / "sessions"), "--set", generator)
    assert code == 4
    assert "SHA-256" in told
    assert not (tmp_path / "sessions").exists()
