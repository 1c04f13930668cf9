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


def _asked(folder: Path, driver: str, flags: str) -> tuple[str, bytes]:
    """Return the words, and what is in the file that was asked in."""
    for name, text in (("request", ""), ("driver", f"{driver}\n"), ("processors", f"flags : {flags}\n")):
        (folder / name).write_text(text, encoding="ascii")
    cores = AwakeCores(folder / "request", folder / "driver", folder / "processors")
    cores.release()
    return cores.words, (folder / "request").read_bytes()


@pytest.mark.parametrize(
    ("driver", "flags", "within_us"),
    [("intel_idle", "fpu sse", 2), ("haltpoll", "fpu hypervisor", 0), ("acpi_idle", "fpu hypervisor", 0)],
)
def test_a_real_core_may_halt_and_a_virtual_one_may_not(
    tmp_path: Path, driver: str, flags: str, within_us: int
) -> None:
    words, request = _asked(tmp_path, driver, flags)
    assert words == f"kept awake (back within {within_us} us)"
    assert struct.unpack("=i", request) == (within_us,)


def test_nothing_is_claimed_where_nobody_obeys(tmp_path: Path) -> None:
    words, request = _asked(tmp_path, "none", "fpu hypervisor")
    assert words.startswith("may sleep: this system has no driver of cpuidle")
    assert request == b""


def test_a_system_that_does_not_let_us_says_why(tmp_path: Path) -> None:
    (tmp_path / "driver").write_text("intel_idle\n", encoding="ascii")
    cores = AwakeCores(tmp_path / "missing", tmp_path / "driver", tmp_path / "no processors")
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
