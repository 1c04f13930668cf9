"""The rise of the evolution comes from what the subject sees: with other pictures on the screen there is none."""

from __future__ import annotations

import signal
from pathlib import Path

import numpy as np
import pytest

from benchmarks.sessions import START_S, Session, mean_responses, quick_demo, rise
from benchmarks.unit import answers
from benchmarks.witness import Watched
from closedloop.session import SessionReader

# Without selection the mean response wanders all the same, as a population of 32 drifts. Of 24 simulated
# evolutions like these (same search, neurons and firing) all rose by more than 2.1, of 24 controls one by more
# than 1.9. So whoever is on the wrong side of the bar is tried with one more seed, and chance alone puts both
# there about once in 500 times.
GENERATIONS = 10
BAR = 1.9


@pytest.fixture(scope="module")
def control(tmp_path_factory: pytest.TempPathFactory) -> Session:
    """The same demo on its own virtual display, with shuffled pictures, ended by Ctrl-C."""
    base = tmp_path_factory.mktemp("control")
    words = [*quick_demo(f"limits.generations={10 * GENERATIONS}"), "--control", "shuffled"]
    with Session(words, base / "sessions", {"DISPLAY": ""}) as session:
        session.until(session.begun, "the session's begin", START_S)
        session.until(
            lambda: len(mean_responses(session.folder)) >= GENERATIONS, "the last generation", 2 * START_S
        )
        session.signal_all(signal.SIGINT)
        session.wait()
    return session


def test_the_mean_response_rises(watched: Watched, tmp_path: Path) -> None:
    risen = rise(mean_responses(watched.folder))
    if risen < BAR:
        with Session(
            quick_demo(f"limits.generations={GENERATIONS}", "seed=2"), tmp_path / "sessions"
        ) as again:
            assert again.wait(4 * START_S) == 0
        risen = rise(mean_responses(again.folder))
    assert risen > BAR


def test_with_shuffled_pictures_it_does_not_rise(control: Session, tmp_path: Path) -> None:
    risen = rise(mean_responses(control.folder)[:GENERATIONS])
    if risen > BAR:
        words = [*quick_demo(f"limits.generations={GENERATIONS}", "seed=2"), "--control", "shuffled"]
        with Session(words, tmp_path / "sessions") as again:
            assert again.wait(4 * START_S) == 0
        risen = rise(mean_responses(again.folder))
    assert risen < BAR


def test_shuffled_answers_have_nothing_to_do_with_the_images_in_the_file(control: Session) -> None:
    heard, evoked = answers(control.folder)
    assert len(heard) >= GENERATIONS * 34
    assert abs(np.corrcoef(heard, evoked)[0, 1]) < 0.25


def test_ctrl_c_closes_the_session_with_its_report(control: Session) -> None:
    assert control.process.returncode == 130, control.told
    with SessionReader(control.folder) as reader:
        run = reader.table("runs").iloc[-1]
        trials = reader.table("trials")
    assert run.exit_status == "aborted"
    assert "Ctrl-C" in run.reason
    assert not trials.status.isin(["ordered", "shown"]).any()
    assert (control.folder / "report.html").is_file()
    assert (control.folder / "tables" / "trials.parquet").is_file()
    assert "Traceback" not in control.told
