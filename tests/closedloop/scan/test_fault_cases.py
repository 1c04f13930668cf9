"""The fault matrix without any path; benchmarks/fault_matrix.py runs it over real ones, and over more seeds."""

from __future__ import annotations

import pytest

from benchmarks.fault_cases import CASES, Case
from benchmarks.fault_matrix import offline

NUMBER = 6
WORST = {
    "last pulse": 1.5,
    "first lacking": 2.0,
    "the pulse": 0.1,
    "first volume": 1.5,
    "second volume": 0.1,
    "start": 8.0,
    "volumes": 10,
}


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
@pytest.mark.parametrize("tr_s", [0.5, 1.0, 3.0])
def test_every_fault_is_told_in_time_and_nothing_else_is(case: Case, tr_s: float) -> None:
    outcomes = [offline(case, seed, tr_s) for seed in range(NUMBER)]
    assert all(outcome.noticed for outcome in outcomes)
    assert sum(outcome.false_alarms + outcome.miscounted + outcome.unheard for outcome in outcomes) == 0
    after = [outcome.after for outcome in outcomes if outcome.after is not None]
    worst = VOLUMES_TO_SEE_A_DRIFT if "drift" in case.name else WORST[case.since]
    assert max(after, default=0) <= worst


VOLUMES_TO_SEE_A_DRIFT = 32


@pytest.mark.parametrize("tr_s", [0.5, 2.0])
def test_gaussian_jitter_raises_no_alarm(tr_s: float) -> None:
    for seed in range(40):
        outcome = offline(CASES[0], seed, tr_s, gaussian=True)
        assert (outcome.false_alarms, outcome.miscounted) == (0, 0), seed
