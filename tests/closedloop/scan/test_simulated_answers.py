from __future__ import annotations

import pytest
from scan_plans import EVENT_RELATED, plan, scan_protocol

from closedloop.protocol.sections.scan_simulation import Simulation
from closedloop.scan.asked import right_keys
from closedloop.scan.simulated import faults_of, presses_of

SCANNER = {"tr_s": 2, "volumes": 200, "dummies": 3}
DESIGN = {**EVENT_RELATED, "repeats": 10}


@pytest.mark.parametrize(
    ("task", "asks"),
    [
        (None, {}),
        ({"kind": "one_back", "keys": ["1", "2"]}, {"image": ("1", "2")}),
        ({"kind": "fixation", "keys": ["3"]}, {"fixation": ("3",)}),
        ({"kind": "buttons", "keys": ["1", "2"], "correct": {"a": "2"}}, {"a": ("2",), "b": ("1", "2")}),
    ],
    ids=["none", "one_back", "fixation", "buttons"],
)
def test_what_asks_for_an_answer_hangs_on_the_task(task, asks):
    protocol = scan_protocol(DESIGN, task=task)
    for event in plan(DESIGN, task=task).events:
        expected = asks.get(event.kind, asks.get(event.trial_type, ()))
        if protocol.task is not None and protocol.task.kind == "one_back" and not event.fields["one_back"]:
            expected = ()
        assert right_keys(protocol.task, event) == expected


def test_a_simulated_subject_answers_a_share_in_its_time_from_the_first_pulse_on():
    simulate = {"answer_share": 0.8, "answer_after_s": [0.4, 0.6]}
    sections = {"scanner": {**SCANNER, "simulate": simulate}, "task": {"kind": "fixation"}}
    protocol, drawn = scan_protocol(DESIGN, **sections), plan(DESIGN, **sections)
    presses = presses_of(protocol, drawn, 0)
    asked_s = [event.onset_s for event in drawn.events if event.kind == "fixation"]
    assert 0.6 * len(asked_s) < len(presses) < len(asked_s)
    for time_s, key in presses:
        assert key == "1"
        assert any(0.4 <= time_s - 6 - onset_s <= 0.6 for onset_s in asked_s)
    assert presses == presses_of(protocol, drawn, 0)
    assert presses != presses_of(protocol, drawn, 1)


def test_without_a_simulated_scanner_nobody_presses():
    protocol = scan_protocol(DESIGN, scanner=SCANNER, task={"kind": "fixation"})
    assert presses_of(protocol, plan(DESIGN, task={"kind": "fixation"}), 0) == ()


def test_the_faults_are_those_of_the_protocol():
    simulation = Simulation(drop_first=1, drop=(3, 4), double_after_ms=15, tr_error=0.0085, stop_after=9)
    faults = faults_of(simulation)
    assert (faults.drop_first, faults.drop, faults.double_after_s) == (1, (3, 4), 0.015)
    assert (faults.tr_error, faults.stop_after, faults.human_s) == (0.0085, 9, ())
