"""The cores of the machine stay awake while a session runs, or it says why not."""

from __future__ import annotations

import os
import struct
import subprocess
import sys
from pathlib import Path

import pytest

from hardware.wakefulness import REQUEST, AwakeCores

pytestmark = pytest.mark.skipif(not sys.platform.startswith("linux"), reason="Linux only")

_HOLD = """
import sys
from hardware.wakefulness import AwakeCores
cores = AwakeCores()
print(cores.words, flush=True)
sys.stdin.read()
"""


def _asked_us() -> int:
    """Return the strictest request that the kernel knows of."""
    with REQUEST.open("rb", buffering=0) as file:
        return int(struct.unpack("=i", file.read(4))[0])


def _words_for(tmp_path: Path, driver: str) -> tuple[str, int]:
    request, idle_driver = tmp_path / "request", tmp_path / "driver"
    request.touch()
    idle_driver.write_text(f"{driver}\n", encoding="ascii")
    cores = AwakeCores(request, idle_driver)
    cores.release()
    return cores.words, int(struct.unpack("=i", request.read_bytes())[0])


def test_a_real_core_may_halt_and_a_virtual_one_may_not(tmp_path: Path) -> None:
    assert _words_for(tmp_path, "intel_idle") == ("kept awake (back within 2 us)", 2)
    assert _words_for(tmp_path, "haltpoll") == ("kept awake (back within 0 us)", 0)


def test_a_system_that_does_not_let_us_says_why(tmp_path: Path) -> None:
    cores = AwakeCores(tmp_path / "missing", tmp_path / "missing too")
    assert cores.words == f"may sleep: {tmp_path / 'missing'}: No such file or directory"
    cores.release()


@pytest.mark.skipif(not os.access(REQUEST, os.R_OK | os.W_OK), reason="this user may not ask")
def test_the_system_knows_of_the_request_while_the_process_lives() -> None:
    with subprocess.Popen(
        [sys.executable, "-c", _HOLD], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as holder:
        assert holder.stdin is not None
        assert holder.stdout is not None
        assert holder.stdout.readline().startswith("kept awake")
        held = [file.readlink() for file in Path(f"/proc/{holder.pid}/fd").iterdir()]
        assert REQUEST in held  # the kernel lets go of it with the process, even if that is killed
        assert _asked_us() <= 2
        holder.stdin.close()
