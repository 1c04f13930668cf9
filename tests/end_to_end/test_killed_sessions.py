"""One process after the other is killed in real sessions; each goes on as if nothing had been.

The long version is ``python -m benchmarks.kill``.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from benchmarks.killing import answering, kill_one, write_protocol
from hardware.display import VirtualDisplay


@pytest.fixture(scope="module")
def sender() -> Iterator[None]:
    with answering():
        yield


@pytest.mark.parametrize(
    ("phase", "victim"), [("presentation", "stage"), ("presentation", "ingest"), ("scoring", "engine")]
)
def test_a_killed_process_costs_the_trial_on_the_screen_and_nothing_else(
    tmp_path: Path, screen: VirtualDisplay, sender: None, phase: str, victim: str
) -> None:
    kill = kill_one(
        write_protocol(tmp_path), tmp_path / "out", {"DISPLAY": screen.name}, phase, victim, chance=0.5
    )
    assert kill.phase == phase, kill.words
    assert kill.exit_code == (-9 if victim == "engine" else 10), kill.words
    assert kill.again == "resumed", kill.words
    assert kill.good, kill
