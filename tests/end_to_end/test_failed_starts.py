"""What is found wrong with the rig before a session begins ends with its own exit code, and leaves nothing.

What is wrong with words and files alone is in ``tests/experiments/test_refused_starts.py``.
"""

from __future__ import annotations

from pathlib import Path

import pytest

from benchmarks.sessions import Program, settings
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
