"""A session that goes on for the second time after accepted changes is the one that was cut once only."""

from __future__ import annotations

from pathlib import Path

import pytest
from cut_session import SHORT, HastyClock, answer, content
from simulated_session import Simulated, prepare, resume

from closedloop.loop.commands import Command, CommandKind
from closedloop.session import SessionReader
from experiments.replay_verify import compare_evolution

SEVERAL = (*SHORT, "limits.generations=2", "threads.0.optimizer.parameters.population=8")


def aborted_after(trials: int, session: Simulated) -> None:
    """Run a session until so many trials of it are judged."""
    statuses = session.operator.statuses
    session.operator.script = lambda: (
        [Command(CommandKind.ABORT, 0.0, "terminal")]
        if statuses and statuses[-1].trials_done >= trials
        else []
    )
    assert session.run().exit_status == "aborted"


def cut_and_changed(folder: Path, change: str) -> Simulated:
    aborted_after(1, prepare(folder, *SEVERAL, respond=answer, clock=HastyClock()))
    return resume(folder, change, accept_changes=True, respond=answer, clock=HastyClock(2000.0))


def differences(folder: Path) -> list[str]:
    with SessionReader(folder) as reader:
        return [str(one) for one in compare_evolution(reader).differences]


@pytest.mark.parametrize("after", [2, 5])
def test_the_second_resume_is_exact(tmp_path: Path, after: int) -> None:
    cut_and_changed(tmp_path / "once", "seed=99").run()
    aborted_after(after, cut_and_changed(tmp_path / "twice", "seed=99"))
    with SessionReader(tmp_path / "twice") as reader:
        trials = reader.table("trials")
        # one waits at the end of the queue, behind those that were not shown yet
        assert (trials[trials["run"] == 1]["status"] == "invalid").sum() == (after > 2)
    resume(tmp_path / "twice", respond=answer, clock=HastyClock(3000.0)).run()
    assert content(tmp_path / "twice") == content(tmp_path / "once")
    assert differences(tmp_path / "twice") == []


def test_changes_accepted_twice_verify(tmp_path: Path) -> None:
    folder = tmp_path / "twice"
    aborted_after(5, cut_and_changed(folder, "seed=99"))
    again = resume(
        folder, "response.repeats=2", accept_changes=True, respond=answer, clock=HastyClock(3000.0)
    )
    aborted_after(10, again)
    # this one leaves the order as it is
    window = "response.window.end_ms=90"
    aborted_after(14, resume(folder, window, accept_changes=True, respond=answer, clock=HastyClock(4000.0)))
    resume(folder, respond=answer, clock=HastyClock(5000.0)).run()
    assert differences(folder) == []
