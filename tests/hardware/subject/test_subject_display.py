"""The subject needs a screen: without one it fails, and it waits for one that is starting."""

from __future__ import annotations

import sys
import threading
import time

import pytest

from closedloop.errors import NoDisplayError
from hardware.display import virtual_display
from hardware.subject import __main__ as program
from hardware.subject import eyes
from hardware.subject.options import SubjectOptions

pytestmark = pytest.mark.skipif(not sys.platform.startswith("linux"), reason="reads the screen through X11")
NOWHERE = ":4077"  # no X server has such a number


def test_without_an_x_server_it_ends_with_6(capsys: pytest.CaptureFixture[str]) -> None:
    begun_s = time.monotonic()
    assert program.main(["--display", NOWHERE, "--wait-display", "0.5"]) == 6
    assert time.monotonic() - begun_s >= 0.5
    told = capsys.readouterr()
    assert NOWHERE in told.err
    assert "ready" not in told.out


def test_a_display_that_comes_up_late_is_waited_for(monkeypatch: pytest.MonkeyPatch) -> None:
    tried = threading.Event()
    real = eyes.PatchSampler

    def later(x: int, y: int, display: str | None) -> eyes.PatchSampler:
        # the first time the server is not there yet
        first = not tried.is_set()
        tried.set()
        return real(x, y, NOWHERE if first else display)

    monkeypatch.setattr(eyes, "PatchSampler", later)
    with virtual_display((320, 240)) as display:
        eyes.Eyes(SubjectOptions(display=display.name)).close()
        tried.clear()
        with pytest.raises(NoDisplayError):
            eyes.Eyes(SubjectOptions(display=display.name, wait_display_s=0.0))
