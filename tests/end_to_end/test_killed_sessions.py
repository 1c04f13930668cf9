"""One process after the other is killed in real sessions; each goes on as if nothing had been.

The long version is ``python -m benchmarks.kill``.
"""

from __future__ import annotations

from pathlib import Path

import pytest

from benchmarks.killing import kill_one
from hardware.display import VirtualDisplay

pytestmark = pytest.mark.patient


@pytest.mark.parametrize(("phase", "victim"), [("presentation", "ingest"), ("scoring", "all")])
def test_a_killed_process_costs_the_trial_on_the_screen_and_nothing_else(
    tmp_path: Path, screen: VirtualDisplay, small: Path, phase: str, victim: str
) -> None:
    kill = kill_one(small, tmp_path / "out", {"DISPLAY": screen.name}, phase, victim, chance=0.5)
    assert kill.phase == phase, kill.words
    assert kill.exit_code == (-9 if victim == "all" else 10), kill.words
    assert kill.again == "resumed", kill.words
    assert kill.good, kill
