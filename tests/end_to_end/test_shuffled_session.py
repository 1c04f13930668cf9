"""The control, whole: a demo whose stage shows other pictures than the search believes, ended by Ctrl-C.

That it does not rise is shown on the simulated rig (``tests/experiments/test_shuffled_control.py``), where
many generations take seconds, and in real time by ``benchmarks/demo_seeds.py``.
"""

from __future__ import annotations

import signal

import pytest

from benchmarks.sessions import START_S, Session, mean_responses, quick_demo
from benchmarks.unit import likeness
from closedloop.session import SessionReader

pytestmark = pytest.mark.patient

GENERATIONS = 3


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


def test_shuffled_answers_have_nothing_to_do_with_the_images_in_the_file(control: Session) -> None:
    alike, trials = likeness(control.folder)
    assert trials >= GENERATIONS * 25
    # of answers to the images themselves: above 0.25, as test_demo_session.py sees
    assert abs(alike) < 0.15


def test_the_report_and_the_file_name_the_control(control: Session) -> None:
    with SessionReader(control.folder) as reader:
        display = reader.details("runs", "display")[0]
    assert "shuffled" in display["details"]["control"]


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
