"""Programs that must not be late stay in memory."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from hardware.memory import LockedFiles

pytestmark = pytest.mark.skipif(not sys.platform.startswith("linux"), reason="Linux only")

_LOCK_AND_TELL = """
from pathlib import Path
from hardware.memory import lock_own_memory
print(lock_own_memory())
print(Path("/proc/self/status").read_text())
"""


def _locked_kb(status: str) -> int:
    found = re.search(r"VmLck:\s+(\d+) kB", status)
    assert found
    return int(found[1])


def test_a_process_locks_its_own_memory_or_says_why_not() -> None:
    told = subprocess.run(
        [sys.executable, "-c", _LOCK_AND_TELL], capture_output=True, text=True, check=True
    ).stdout
    words, status = told.split("\n", 1)
    if words == "locked":
        assert _locked_kb(status) > 5000
    else:
        assert words.startswith("not locked: ")
        assert _locked_kb(status) == 0


def test_the_files_of_another_process_are_held_and_let_go() -> None:
    before_kb = _locked_kb(Path("/proc/self/status").read_text(encoding="utf-8"))
    held = LockedFiles(os.getpid())
    locked_kb = _locked_kb(Path("/proc/self/status").read_text(encoding="utf-8")) - before_kb
    assert held.size_bytes > 1e6
    if os.geteuid() == 0:  # others may lock a few MB, or nothing
        assert 1024 * locked_kb == pytest.approx(held.size_bytes, rel=0.1)
    held.release()
    assert held.size_bytes == 0
    assert _locked_kb(Path("/proc/self/status").read_text(encoding="utf-8")) == before_kb


def test_a_process_that_has_ended_has_no_files() -> None:
    with subprocess.Popen([sys.executable, "-c", ""]) as ended:
        ended.wait()
    assert LockedFiles(ended.pid).size_bytes == 0
