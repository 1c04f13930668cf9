"""The virtual display comes up, is used by children, and never outlives its owner."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from closedloop.errors import NoDisplayError
from hardware.display import has_display, virtual_display

pytestmark = pytest.mark.skipif(not sys.platform.startswith("linux"), reason="Xvfb is of Linux")


def _gone(pid: int, within_s: float = 5.0) -> bool:
    deadline = time.monotonic() + within_s
    while time.monotonic() < deadline:
        try:
            stat = Path(f"/proc/{pid}/stat").read_text(encoding="utf-8")
        except FileNotFoundError:
            return True
        if stat.rsplit(")", 1)[1].split()[0] == "Z":
            return True
        time.sleep(0.02)
    return False


@pytest.mark.display
def test_it_has_the_asked_size_in_a_child_and_restores_the_environment(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("DISPLAY", ":4711")
    assert not has_display()
    with virtual_display((320, 200)) as display:
        assert os.environ["DISPLAY"] == display.name
        assert has_display()
        code = "from Xlib.display import Display; s=Display().screen(); print(s.width_in_pixels, s.height_in_pixels)"
        seen = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
        assert seen.stdout.split() == ["320", "200"]
    assert os.environ["DISPLAY"] == ":4711"
    assert _gone(display.pid)


@pytest.mark.display
def test_two_get_numbers_of_their_own() -> None:
    with virtual_display((64, 64)) as one, virtual_display((64, 64)) as two:
        assert one.name != two.name


@pytest.mark.display
def test_the_server_dies_with_its_killed_owner() -> None:
    code = (
        "import time\nfrom hardware.display import virtual_display\n"
        "with virtual_display((64, 64)) as d:\n    print(d.pid, flush=True); time.sleep(60)"
    )
    owner = subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE, text=True)
    assert owner.stdout is not None
    pid = int(owner.stdout.readline())
    owner.send_signal(signal.SIGKILL)
    owner.wait()
    owner.stdout.close()
    assert _gone(pid)


def test_without_xvfb_it_says_what_to_type(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", "/nonexistent")
    with pytest.raises(NoDisplayError, match="apt-get install -y xvfb"), virtual_display():
        pass


@pytest.mark.display
def test_a_server_that_can_not_start_is_an_error_not_a_hang() -> None:
    with pytest.raises(NoDisplayError, match="Xvfb ended"), virtual_display((64, 64), depth=3):
        pass
