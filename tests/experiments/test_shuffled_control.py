"""The rise of an evolution comes from what is on the screen: with other pictures there than the search believes,
there is none.

Here on the simulated rig. The whole demo with its control, real window and all, is ``benchmarks/demo_seeds.py``.
"""

from __future__ import annotations

from pathlib import Path

from cut_session import HastyClock
from simulated_session import prepare

from benchmarks.sessions import mean_responses, rise

GENERATIONS = 12


def test_it_rises_by_what_is_shown_and_not_without(tmp_path: Path) -> None:
    risen = {}
    for control in (None, "shuffled"):
        folder = tmp_path / str(control)
        prepare(folder, f"limits.generations={GENERATIONS}", control=control, clock=HastyClock()).run()
        risen[control] = rise(mean_responses(folder))
    assert risen[None] > 1.15
    assert abs(risen["shuffled"] - 1) < 0.5 * (risen[None] - 1)
