"""A run of which the ledger knows better is not called good."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import pytest
from simulated_scan import SimulatedScan, prepare_scan

from closedloop.report.blocks import Table
from closedloop.report.scan_course import ScanCourse, courses
from closedloop.report.sections.scan_run import section
from closedloop.report.words import NONE
from closedloop.scan.recorded import read_scans, scan_protocol_of
from closedloop.session import SessionReader

TEN = ("runs.count=1", "task=null", "scanner.tr_s=2", "scanner.volumes=10", "scanner.dummies=0")


def judged(session: SimulatedScan) -> ScanCourse:
    assert session.run().exit_status == "completed"
    with SessionReader(session.folder) as reader:
        protocol = scan_protocol_of(reader)
        (course,) = courses(read_scans(reader, protocol), protocol)
    return course


def sends(session: SimulatedScan, times_s: Sequence[float]) -> None:
    """Let the trigger hear this in the run, from 1 s after it is armed."""

    def arm(_plan: object, _scan: int) -> None:
        session.trigger.play(times_s, start_s=session.clock.now() + 1.0)

    session._arm = arm  # type: ignore[method-assign]  # in place of the simulated scanner


def test_a_run_without_a_fault_is_good(tmp_path: Path) -> None:
    assert judged(prepare_scan(tmp_path / "one", *TEN)).faults == []


def test_a_press_a_whole_tr_before_the_scan_shows_in_the_pulse_too_many(tmp_path: Path) -> None:
    session = prepare_scan(tmp_path / "one", *TEN)
    sends(session, [0.0, *(2.0 + 2.0 * volume for volume in range(10))])
    course = judged(session)
    assert course.scan.off_s == 0.0  # nothing else tells of it
    (fault,) = course.faults
    assert fault.startswith("More pulses came than the 10 of the protocol")
    assert "the first one that was counted was not the scanner's" in fault


def test_a_scanner_that_ran_already_where_the_policy_lets_the_run_go_on(tmp_path: Path) -> None:
    session = prepare_scan(
        tmp_path / "one", *TEN, "scanner.policy.running=warn", "scanner.sequence_ends=open"
    )
    began = session.trigger.open

    def open_after_a_pulse() -> object:
        info = began()
        session.trigger.play([-1.0], start_s=session.clock.now())
        return info

    session.trigger.open = open_after_a_pulse  # type: ignore[assignment, method-assign]  # before arming
    (fault,) = judged(session).faults
    assert fault == (
        "The scanner was running already: 1 pulse came before the run was armed, so that its first volume is not"
        " the sequence's first."
    )


def test_pulses_that_jump_to_another_phase(tmp_path: Path) -> None:
    session = prepare_scan(tmp_path / "one", *TEN, "scanner.policy.stopped=warn")
    sends(session, [2.0 * volume + (0.6 if volume > 4 else 0.0) for volume in range(10)])
    faults = judged(session).faults
    assert any(
        fault
        == "Its pulses jumped once off their places, by 0.600 s: the sequence was held up or started again."
        for fault in faults
    )


@pytest.mark.parametrize(
    ("design", "empty"),
    [
        ("design={kind: block, block: 4, rest: 4, blocks: 1, image_s: 0.5, gap_s: 0.5}", {"rest"}),
        (
            "design={kind: event_related, lead_in: 0.5, image_s: 0.3, null_share: 0.3, isi: {draw: fixed, mean: 0.5}}",
            {"null"},
        ),
    ],
    ids=["rests", "null events"],
)
def test_what_shows_nothing_on_purpose_is_not_counted_as_not_shown(
    tmp_path: Path, design: str, empty: set[str]
) -> None:
    session = prepare_scan(tmp_path / "one", *TEN, design)
    course = judged(session)
    blocks = section(course, session.work.loaded.protocol).blocks
    (table,) = (one for one in blocks if isinstance(one, Table) and one.header[0] == "condition")
    assert {row[0] for row in table.rows if row[2:4] == [NONE, NONE]} == empty
    assert all(row[1] == row[2] == row[3] for row in table.rows if row[0] not in empty)
