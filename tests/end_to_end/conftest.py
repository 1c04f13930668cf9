"""Whole sessions with every process, shared by the tests that look at them from different sides."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from benchmarks.killing import answering, write_protocol
from benchmarks.sessions import START_S, Session, quick_demo
from benchmarks.witness import Listener, Watched, compare, observed
from hardware.display import VirtualDisplay, virtual_display

SIZE_PX = (1024, 768)  # of the demo's window
GENERATIONS = 3


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    here = Path(__file__).parent
    for item in items:
        if here in item.path.parents:
            for mark in ("end_to_end", "display", "lsl", "models"):
                item.add_marker(mark)
            item.add_marker(
                pytest.mark.timeout(600)
            )  # a busy machine takes many times as long as an idle one
            if not sys.platform.startswith("linux"):
                item.add_marker(pytest.mark.skip(reason="the simulated subject reads the screen through X11"))


@pytest.fixture(scope="session")
def screen() -> Iterator[VirtualDisplay]:
    with virtual_display(SIZE_PX) as display:
        yield display


@pytest.fixture(scope="session")
def watched(screen: VirtualDisplay, tmp_path_factory: pytest.TempPathFactory) -> Watched:
    """A quick demo, watched by an observer with its own X connection and by an own LSL inlet."""
    base = tmp_path_factory.mktemp("watched")
    listener = Listener()
    listener.start()
    with observed(base / "seen.npz", screen.name, rate_hz=2500.0):
        words = quick_demo(f"limits.generations={GENERATIONS}")
        with Session(words, base / "sessions", {"DISPLAY": screen.name}) as session:
            exit_code = session.wait(4 * START_S)
    listener.ended.set()
    listener.join()
    assert exit_code == 0, session.told
    seen = compare(session.folder, base / "seen.npz")
    return Watched(session.folder, exit_code, session.told, seen, listener.heard)


@pytest.fixture(scope="session")
def small(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """The protocol of a small session that starts soon, with its response stream there."""
    with answering():
        yield write_protocol(tmp_path_factory.mktemp("small"))
