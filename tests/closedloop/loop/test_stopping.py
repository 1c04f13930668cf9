from __future__ import annotations

import pytest

from closedloop.loop.stopping import reached
from closedloop.protocol.models import StopRule

PLATEAU = (StopRule(rule="plateau", generations=2, min_rise=0.1),)
SCORE = (StopRule(rule="score", generations=2, score=50.0),)


@pytest.mark.parametrize(
    ("rules", "scores", "stops"),
    [
        ((), [1.0, 1.0, 1.0, 1.0], False),
        (PLATEAU, [10.0, 10.0, 10.0], False),
        (PLATEAU, [10.0, 10.0, 10.5, 10.5], True),
        (PLATEAU, [10.0, 10.0, 12.0, 12.0], False),
        (PLATEAU, [float("nan"), float("nan"), 12.0, 12.0], False),
        (PLATEAU, [-10.0, -10.0, -8.0, -8.0], False),
        (SCORE, [60.0], False),
        (SCORE, [60.0, 49.0], False),
        (SCORE, [10.0, 50.0, 51.0], True),
        (SCORE, [10.0, 60.0, float("nan")], False),
    ],
)
def test_rules(rules: tuple[StopRule, ...], scores: list[float], stops: bool) -> None:
    assert (reached(rules, scores) is not None) == stops


def test_the_reason_names_the_figures() -> None:
    assert reached(PLATEAU, [10.0, 10.0, 10.5, 10.5]) == (
        "plateau: mean score 10.5 over the last 2 generations, 10.0 over the 2 before"
    )
