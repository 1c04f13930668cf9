"""A terminal that is closed, or ssh that is lost, ends a session in order: nothing crashes over it."""

from __future__ import annotations

import os
import pty
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from closedloop.errors import DiskError
from closedloop.loop.commands import CommandKind
from experiments.folder import require_writable
from experiments.interrupts import Interrupts
from hardware.clock import VirtualClock

posix = pytest.mark.skipif(sys.platform == "win32", reason="terminals that hang up are of POSIX")


@posix
@pytest.mark.parametrize("name", ["SIGINT", "SIGTERM", "SIGHUP"])
def test_a_signal_is_a_wish_to_abort(name: str, capsys: pytest.CaptureFixture[str]) -> None:
    number = getattr(signal, name)
    before = signal.getsignal(number)
    with Interrupts(VirtualClock(start_s=5.0)) as interrupts:
        signal.raise_signal(number)
        (command,) = interrupts.poll()
        assert interrupts.poll() == []
    assert command.kind is CommandKind.ABORT
    assert command.text in (name, "Ctrl-C")
    assert "please wait" in capsys.readouterr().err
    assert signal.getsignal(number) == before


_LIVE_SESSION = """
import os, sys, time
from pathlib import Path
from experiments.console import err
from experiments.interrupts import Interrupts
from experiments.operator import TerminalOperator
from hardware.clock import VirtualClock
ended = Path(sys.argv[1])
clock = VirtualClock(start_s=0.0)
with Interrupts(clock) as interrupts:
    with TerminalOperator(clock) as operator:
        err.print("up")
        commands = []
        until_s = time.monotonic() + 30
        while not commands and time.monotonic() < until_s:
            operator.poll()
            commands = list(interrupts.poll())
            time.sleep(0.01)
        for _ in range(3):
            time.sleep(0.3)
            operator.poll()
            err.print("closing")
    err.print("[red]closed[/]")
    ended.write_text(commands[0].text)
"""


@posix
def test_a_session_whose_terminal_is_closed_ends_in_order(tmp_path: Path) -> None:
    keyboard, screen = pty.openpty()
    ended = tmp_path / "ended"
    # a session of its own, whose terminal this is: so that closing it hangs up on the program
    code = "import fcntl, termios; fcntl.ioctl(0, termios.TIOCSCTTY, 0)\n" + _LIVE_SESSION
    process = subprocess.Popen(
        [sys.executable, "-c", code, str(ended)],
        stdin=screen,
        stdout=screen,
        stderr=screen,
        start_new_session=True,
        env={**os.environ, "TERM": "xterm"},
    )
    os.close(screen)
    told = b""
    while b"up" not in told:
        told += os.read(keyboard, 4096)
    os.close(keyboard)
    assert process.wait(30) == 0
    assert ended.read_text(encoding="utf-8") == "SIGHUP"


@posix
def test_words_that_nobody_reads_any_more_are_lost_and_nothing_else() -> None:
    code = (
        "import sys, time\nfrom experiments.console import err\n"
        "print('up', flush=True); sys.stdin.read(1)\n"
        "for _ in range(3): err.print('hello')\n"
        "print('done', flush=True)"
    )
    with subprocess.Popen(
        [sys.executable, "-c", code],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    ) as process:
        assert process.stdin is not None
        assert process.stdout is not None
        assert process.stderr is not None
        assert process.stdout.readline() == "up\n"
        process.stderr.close()
        process.stdin.write("x")
        process.stdin.close()
        assert process.stdout.readline() == "done\n"
        assert process.wait(20) == 0


def test_a_folder_is_tried_before_anything_is_opened_and_nothing_is_left(tmp_path: Path) -> None:
    require_writable(tmp_path / "new" / "sessions")
    assert not any(tmp_path.iterdir())
    (tmp_path / "file").write_text("in the way", encoding="utf-8")
    with pytest.raises(DiskError, match="--out"):
        require_writable(tmp_path / "file" / "sessions")


@pytest.mark.skipif(not Path("/proc/self").exists(), reason="needs a folder that even root can't write")
def test_a_folder_without_permission_is_refused() -> None:
    with pytest.raises(DiskError):
        require_writable(Path("/proc/sessions"))
