"""What a reader that was held up hands over late belongs to when it came, not to when it is heard of."""

from __future__ import annotations

import os
import signal
import sqlite3
from collections.abc import Sequence
from pathlib import Path

import pytest
from simulated_scan import SHORT, SimulatedScan, prepare_scan, resume_simulated

from closedloop.loop.commands import Command, CommandKind
from closedloop.scan.recorded import RecordedScan, read_scans
from closedloop.scan.simulation import ScannerFaults
from closedloop.session import SessionReader
from closedloop.session.database import FILE_NAME
from experiments.environment import environment
from experiments.replay_verify import verify_session

TR_S = 0.5
OPTIONS = (*SHORT[1:], "scanner.volumes=10", f"scanner.tr_s={TR_S}", "scanner.dummies=0")


def scanner_runs(session: SimulatedScan, *sequences: tuple[float, int]) -> None:
    """The scanner has a will of its own: sequences from some time on, whatever is armed and disarmed."""
    for first_s, volumes in sequences:
        session.trigger.play([TR_S * volume for volume in range(volumes)], start_s=first_s)
    session._arm = lambda _plan, _scan: None  # type: ignore[method-assign]  # nobody starts it
    session.trigger.stop = lambda: None  # type: ignore[method-assign]  # nor stops it


def recorded(session: SimulatedScan) -> list[RecordedScan]:
    with SessionReader(session.folder) as reader:
        return read_scans(reader, session.work.loaded.protocol)


def kinds(scan: RecordedScan) -> list[str]:
    return [str(one["finding"]) for one in scan.findings if one["finding"] != "first"]


def unarmed_s(session: SimulatedScan) -> list[float]:
    with SessionReader(session.folder) as reader:
        events = reader.table("events")
    return [float(time_s) for time_s in events.loc[events["kind"] == "unarmed_pulse", "time_s"]]


def test_pulses_from_before_arming_that_come_late_do_not_start_the_run(tmp_path: Path) -> None:
    session = prepare_scan(tmp_path / "one", *OPTIONS, "runs.count=1")
    scanner_runs(
        session, (1000.51, 4), (1007.01, 10)
    )  # the first sequence is over before the run is armed anew
    session.trigger.hold_up(4.0, 1.0)
    session.at_console((2.0, CommandKind.ABORT), (4.5, CommandKind.REPEAT), (20.0, CommandKind.END))
    session.run()
    aborted, again = recorded(session)
    assert aborted.status == "aborted"
    assert again.armed_s == pytest.approx(1004.5, abs=0.05)
    assert (again.status, kinds(again)) == ("completed", [])
    assert again.first_pulse_s == again.start_s == pytest.approx(1007.01)
    assert len(again.shown) > 0
    assert unarmed_s(session) == pytest.approx([1001.01, 1001.51, 1002.01])
    waits = [status.message for status in session.operator.statuses if "behind" in status.message]
    assert "whether the scanner is running already" in waits[0]


def test_a_scanner_that_ran_before_arming_is_told_of_though_the_reader_was_held_up(tmp_path: Path) -> None:
    session = prepare_scan(tmp_path / "one", *OPTIONS, "runs.count=1")
    scanner_runs(session, (1000.51, 30))
    session.trigger.hold_up(4.0, 1.0)
    session.at_console((2.0, CommandKind.ABORT), (4.6, CommandKind.REPEAT), (9.0, CommandKind.END))
    session.run()
    _, again = recorded(session)
    assert (again.status, kinds(again)) == ("aborted", ["running"])
    assert len(again.shown) == 0
    assert again.first_pulse_s == pytest.approx(1005.01)
    assert unarmed_s(session)[:8] == pytest.approx([1001.01 + TR_S * pulse for pulse in range(8)])


def test_with_nobody_there_no_run_is_armed_while_it_is_not_known_that_the_scanner_is_silent(
    tmp_path: Path,
) -> None:
    session = prepare_scan(
        tmp_path / "one",
        *OPTIONS,
        "runs.count=2",
        "scanner.policy.missed=abort",
        "scanner.policy.running=abort",
    )
    lost = 1000.51 + 3 * TR_S  # ends the first run; the sequence goes on
    scanner_runs(session, (1000.51, 3), (lost + TR_S, 6), (1012.01, 10))
    session.trigger.hold_up(2.5, 2.75)
    session.run()
    first, second = recorded(session)
    assert first.status == "aborted"
    assert second.armed_s > lost + 6 * TR_S
    assert (second.status, kinds(second)) == ("completed", [])


def test_a_pulse_within_its_own_uncertainty_of_arming_is_the_runs(tmp_path: Path) -> None:
    session = prepare_scan(tmp_path / "one", *OPTIONS, "runs.count=1")

    def at_once(_plan: object, _scan: int) -> None:
        session.trigger.play([TR_S * volume for volume in range(10)], start_s=session.clock.now() - 0.0004)

    session._arm = at_once  # type: ignore[method-assign]  # the scanner starts with the arming
    session.run()
    (scan,) = recorded(session)
    assert (scan.status, len(scan.pulses)) == ("completed", 10)
    assert unarmed_s(session) == []


@pytest.mark.skipif(not hasattr(os, "fork"), reason="this system can't fork")
@pytest.mark.parametrize(
    ("dummies", "after_s", "for_s", "cut_s", "faults"),
    [
        (2, 1.2, 1.5, 1004.4, ScannerFaults()),
        (2, 0.2, 2.0, 1005.4, ScannerFaults()),
        (1, 0.75, 1.2, 1004.4, ScannerFaults()),
        (1, 4.0, 0.3, 1005.4, ScannerFaults(drop=(3,))),  # held up after one that lacks was told
    ],
)
def test_a_run_that_was_cut_off_is_summed_up_as_it_was_heard(
    tmp_path: Path, dummies: int, after_s: float, for_s: float, cut_s: float, faults: ScannerFaults
) -> None:
    folder = tmp_path / "one"
    environment()  # so that its imports are there before the fork
    child = os.fork()
    if not child:
        session = prepare_scan(folder, *OPTIONS, "runs.count=1", f"scanner.dummies={dummies}")
        session.jitter_s, session.faults = 0.004, [faults]
        left = [(for_s, after_s)]

        def script() -> Sequence[Command]:
            if session.armed and left:
                session.trigger.hold_up(*left.pop())
            if session.clock.now() > cut_s:
                os.kill(os.getpid(), signal.SIGKILL)
            return ()

        session.operator.script = script
        session.run()
        os._exit(0)
    os.waitpid(child, 0)
    with sqlite3.connect(folder / FILE_NAME) as file:
        ((live_start_s,),) = file.execute("SELECT start_s FROM scans").fetchall()
    resumed = resume_simulated(folder)
    assert resumed.run().exit_status == "completed"
    cut, _ = recorded(resumed)
    told = [str(one["finding"]) for one in cut.findings]
    assert {kind: count for kind, count in cut.ledger["findings"].items() if count} == {
        kind: told.count(kind) for kind in told
    }
    assert (cut.start_s, cut.ledger["start_s"]) == (live_start_s, live_start_s)
    assert not cut.ledger["stopped"]
    assert verify_session(folder).first is None


def test_a_start_that_lacked_its_pulse_is_found_again_though_the_reader_was_held_up(tmp_path: Path) -> None:
    session = prepare_scan(tmp_path / "one", *OPTIONS, "runs.count=1", "scanner.dummies=1")
    session.jitter_s, session.faults = 0.004, [ScannerFaults(drop=(1,))]
    left = [(1.2, 0.75)]

    def script() -> Sequence[Command]:
        if session.armed and left:
            session.trigger.hold_up(*left.pop())
        return ()

    session.operator.script = script
    session.run()
    (scan,) = recorded(session)
    assert "missed" in kinds(scan)
    assert verify_session(session.folder).first is None
