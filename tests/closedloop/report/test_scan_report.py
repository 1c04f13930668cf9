"""The report of scanner sessions: whether each run is good is said at once, and why it is not."""

from __future__ import annotations

import re
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from scan_session_factory import ABORTED, PROTOCOL, Attempt, ScanPlan, protocol_of, write_scan_session

from closedloop.report import write_report
from closedloop.report.scan_course import ScanCourse, courses
from closedloop.report.sections.scan_run import response_words
from closedloop.scan.recorded import read_scans
from closedloop.scan.simulation import ScannerFaults
from closedloop.session import SessionReader
from closedloop.session.database import FILE_NAME, open_writer


@pytest.fixture(scope="module")
def session(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_scan_session(tmp_path_factory.mktemp("scan") / "aborted", ABORTED)


def text_of(page: Path) -> str:
    text = re.sub(r"<style>.*?</style>|data:[^\"]*", "", page.read_text(encoding="utf-8"), flags=re.DOTALL)
    return " ".join(re.sub(r"<[^>]*>", " ", text).split())


def measured(folder: Path, plan: ScanPlan) -> list[ScanCourse]:
    protocol = protocol_of(plan)
    with SessionReader(folder) as reader:
        return courses(read_scans(reader, protocol), protocol)


def test_the_page_says_at_once_which_runs_to_look_at(session: Path) -> None:
    page = write_report(session)
    text = text_of(page)
    assert "Look at runs 1 and 2" in text
    assert "1 image was not shown as planned (missed frame: 1)" in text
    assert "The TR was 1.0085 s, not 1 s" in text
    assert "Run 2, attempt 1 (aborted)" in text
    assert "It never began: no pulse came." in text
    assert "The pulse of volume 6 has not come." in text
    html = page.read_text(encoding="utf-8")
    assert html.count('<figure class="drawing">') == 4  # three runs that began, and the flip intervals
    assert "<script>alert" not in html
    assert "alert(1)" in html  # the note is there, as text
    assert "<b>&" not in html


def test_good_runs_are_called_good(tmp_path: Path) -> None:
    text = text_of(write_report(write_scan_session(tmp_path / "s")))
    assert "All runs are good" in text
    assert text.count("This run is good") == 2


def test_what_is_measured_is_what_was_made_up(session: Path) -> None:
    first, cut, never, last = measured(session, ABORTED)
    assert [course.counts for course in (first, cut, never, last)] == [True, False, False, True]
    assert np.abs(first.residuals_ms).max() < 3.0  # the simulated jitter is 2 ms at most
    assert np.abs(last.residuals_ms).max() < 3.0  # against its own TR, which is off
    assert last.tr_fitted_s == pytest.approx(1.0085, abs=0.0003)
    assert np.abs(first.errors_ms).max() <= first.half_frame_ms + 0.5
    assert cut.missing_s == pytest.approx([4.0], abs=0.01)
    assert cut.odd_s["doubled"] == pytest.approx([7.02], abs=0.01)
    assert first.missed_frames == 1
    assert first.responses is not None
    assert first.responses.asked == first.responses.hits + first.responses.misses == 2
    assert first.responses.false_alarms == 1
    assert not len(never.pulses_s)


def test_a_first_pulse_that_may_be_missing_is_said_above_all(tmp_path: Path) -> None:
    plan = ScanPlan((Attempt(0, faults=ScannerFaults(drop_first=1)),))
    (course,) = measured(write_scan_session(tmp_path / "s", plan), plan)
    assert any("first pulse" in sentence for sentence in course.faults)


@pytest.mark.parametrize(
    "task",
    ["task: null", "task: {kind: fixation}", "task: {kind: buttons, keys: ['1'], correct: {faces: '1'}}"],
)
def test_every_kind_of_task_has_a_page(tmp_path: Path, task: str) -> None:
    protocol = PROTOCOL.replace("task: {kind: one_back, share: 0.25}", task).replace("count: 2", "count: 1")
    plan = ScanPlan((Attempt(0),), protocol=protocol)
    assert "The run is good" in text_of(write_report(write_scan_session(tmp_path / "s", plan)))


def test_what_lacks_of_fixation_and_dummies_is_no_good_run(tmp_path: Path) -> None:
    protocol = PROTOCOL.replace("task: {kind: one_back, share: 0.25}", "task: {kind: fixation}")
    plan = ScanPlan((Attempt(0, faults=ScannerFaults(drop=(1,))),), protocol.replace("count: 2", "count: 1"))
    folder = write_scan_session(tmp_path / "s", plan)
    (course,) = measured(folder, plan)
    assert course.faults == ["1 pulse before the first stored volume did not come."]
    connection = open_writer(folder / FILE_NAME)
    changes = [event for (event,) in connection.execute("SELECT event FROM planned WHERE kind = 'fixation'")]
    connection.execute("UPDATE planned SET shown_s = NULL WHERE event = ?", changes[:1])
    connection.execute("UPDATE planned SET shown_s = shown_s + 0.1 WHERE event = ?", changes[1:2])
    connection.close()
    (course,) = measured(folder, plan)
    assert course.faults[1:] == [
        "1 change of the fixation point was not shown.",
        "1 change of the fixation point was more than a frame off the plan.",
    ]


def test_a_session_that_armed_no_run_has_a_page(tmp_path: Path) -> None:
    folder = write_scan_session(tmp_path / "s", ScanPlan((), exit_status=None))
    assert "No run was completed" in text_of(write_report(folder))


@pytest.mark.parametrize(
    ("alarms", "words"),
    [
        (0, "no press that answers nothing"),
        (1, "1 press that answers nothing"),
        (2, "2 presses that answer nothing"),
    ],
)
def test_presses_that_answer_nothing_are_said_in_plain_words(session: Path, alarms: int, words: str) -> None:
    course = measured(session, ABORTED)[0]
    assert course.responses is not None
    course = replace(course, responses=replace(course.responses, false_alarms=alarms))
    assert f"; {words}" in response_words(course)
