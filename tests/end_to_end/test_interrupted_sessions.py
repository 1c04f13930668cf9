"""Sessions that are broken off by the window, the disk or the person; what was recorded stays."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from small_disk import Disk, mounted

from benchmarks.sessions import START_S, Session, settings
from closedloop.session import SessionReader
from hardware.display import VirtualDisplay

pytestmark = pytest.mark.patient


def _ask_window_to_close(display_name: str, title: str) -> None:
    """Do what the cross in a window's corner does."""
    from Xlib import X, display
    from Xlib.protocol import event

    server = display.Display(display_name)
    protocols, delete = server.intern_atom("WM_PROTOCOLS"), server.intern_atom("WM_DELETE_WINDOW")

    def titled(window: Any) -> Iterator[Any]:
        if window.get_wm_name() == title:
            yield window
        for child in window.query_tree().children:
            yield from titled(child)

    (window,) = titled(server.screen().root)
    window.send_event(
        event.ClientMessage(window=window, client_type=protocols, data=(32, [delete, X.CurrentTime, 0, 0, 0]))
    )
    server.sync()
    server.close()


def test_a_window_closed_by_hand(tmp_path: Path, screen: VirtualDisplay, small: Path) -> None:
    with Session(
        ["run", str(small), *settings("limits.generations=500")],
        tmp_path / "sessions",
        {"DISPLAY": screen.name},
    ) as session:
        session.until(session.begun, "the session's begin", START_S)
        session.until_more_valid()
        with SessionReader(session.folder) as reader:
            title = reader.details("runs", "display")[0]["details"]["window_title"]
        _ask_window_to_close(screen.name, title)
        code = session.wait()
    assert code == 6, session.told
    assert "closed by hand" in session.told
    with SessionReader(session.folder) as reader:
        run = reader.table("runs").iloc[-1]
        trials = reader.table("trials")
    assert run.exit_status == "failed"
    assert "closed by hand" in run.reason
    assert (trials.status == "valid").sum() >= 5
    assert not trials.status.isin(["ordered", "shown"]).any()


@pytest.fixture
def disk(tmp_path: Path) -> Iterator[Disk]:
    with mounted(tmp_path / "disk", "4g") as disk:  # it takes no more memory than is written
        yield disk


def test_a_full_disk(disk: Disk, screen: VirtualDisplay, small: Path) -> None:
    with Session(
        ["run", str(small), *settings("limits.generations=500")],
        disk.folder / "sessions",
        {"DISPLAY": screen.name},
    ) as session:
        session.until(session.begun, "the session's begin", START_S)
        session.until_more_valid()
        disk.fill(leave_kb=100)
        code = session.wait()
    assert code == 8, session.told
    assert "full" in session.told or "space" in session.told
    with SessionReader(session.folder) as reader:
        trials = reader.table("trials")
        assert (trials.status == "valid").sum() >= 5
        for trial in trials[trials.status == "valid"].trial:
            assert len(reader.rates(int(trial))) == 1
