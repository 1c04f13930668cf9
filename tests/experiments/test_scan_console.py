"""The console of scan sessions: keys, lines, and whose keys are whose."""

from __future__ import annotations

import io

import pytest
from rich.console import Console

from closedloop.loop.commands import CommandKind
from closedloop.scan.status import ScanState, ScanStatus
from experiments.interrupts import Interrupts
from experiments.scan_operator import ScanTerminal
from experiments.scan_progress import ScanProgress, plain_line
from hardware.clock import VirtualClock

STATUS = ScanStatus(
    label="2",
    place=2,
    runs=3,
    attempt=1,
    state=ScanState.RUNNING,
    volume=17,
    volumes=40,
    dummies_left=0,
    tr_s=2.017,
    tr_nominal_s=2.0,
    run_s=34.2,
    duration_s=80.0,
    next_event="faces a.png in 1.3 s",
    finding="The TR is off.",
    missed_frames=1,
    trials_shown=9,
    trials_invalid=1,
    presses=4,
    answered=(3, 4),
    message="The TR is off.",
    simulated=True,
)


def terminal(
    subject_keys: frozenset[str] = frozenset(), not_in_notes: frozenset[str] = frozenset()
) -> ScanTerminal:
    clock = VirtualClock()
    return ScanTerminal(clock, Interrupts(clock), subject_keys, not_in_notes, Console(file=io.StringIO()))


@pytest.mark.parametrize(
    ("keys", "kinds"),
    [
        ("g", [CommandKind.GO]),
        ("r", [CommandKind.REPEAT]),
        ("pp", [CommandKind.PAUSE, CommandKind.RESUME]),
        ("a", []),
        ("aa", [CommandKind.ABORT]),
        ("e", [CommandKind.END]),
        ("5x1", []),
    ],
)
def test_what_the_keys_mean(keys: str, kinds: list[CommandKind]) -> None:
    operator = terminal()
    for key in keys:
        operator.window_key(key, 1000.0)
    assert [command.kind for command in operator.poll()] == kinds


def test_a_pause_that_a_policy_made_is_lifted_by_one_key() -> None:
    operator = terminal()
    operator.show(ScanStatus(**{**vars(STATUS), "state": ScanState.PAUSED}))
    operator.window_key("p", 1000.0)
    assert [command.kind for command in operator.poll()] == [CommandKind.RESUME]


def test_keys_of_the_subject_typed_into_the_terminal_are_not_the_operator_s(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    operator = terminal(frozenset({"g", "5"}))
    monkeypatch.setattr(operator, "_read", lambda: "g5r")
    assert [command.kind for command in operator.poll()] == [CommandKind.REPEAT]


@pytest.mark.parametrize(("not_in_notes", "text"), [(frozenset(), "rung 5"), (frozenset({"g", "5"}), "run")])
def test_a_note_has_all_characters_but_those_that_the_box_types(
    monkeypatch: pytest.MonkeyPatch, not_in_notes: frozenset[str], text: str
) -> None:
    operator = terminal(frozenset({"g", "5"}), not_in_notes)
    monkeypatch.setattr(operator, "_read", lambda: "gnrung 5\rg")
    (command,) = operator.poll()
    assert (command.kind, command.text) == (CommandKind.NOTE, text)
    monkeypatch.setattr(operator, "_read", lambda: "n")
    operator.poll()
    assert ("(without 5, g, " in operator._prompt()) is bool(not_in_notes)


def test_a_line_says_it_all() -> None:
    line = plain_line(STATUS)
    for words in (
        "SIMULATED",
        "2 of 3, attempt 2",
        "17 of 40",
        "2.0170 s",
        "+0.85 %",
        "3 of 4",
        "0:34 of 1:20",
    ):
        assert words in line


@pytest.mark.parametrize("live", [True, False])
def test_the_screen_takes_any_words(live: bool) -> None:
    out = io.StringIO()
    console = Console(file=out, force_terminal=live, width=200)
    with ScanProgress(console, prompt=lambda: "keys") as progress:
        progress.update(ScanStatus(**{**vars(STATUS), "finding": "[b] 5", "message": "[/b] odd"}))
    assert "17 of 40" in out.getvalue()
    assert "[/b] odd" in out.getvalue()
