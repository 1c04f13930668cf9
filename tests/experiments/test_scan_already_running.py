"""What the trigger says before a run is armed: its death, a scanner that runs already, notices of its reader."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from simulated_scan import SimulatedScan, prepare_scan

from closedloop.errors import TriggerError
from closedloop.loop.commands import CommandKind
from closedloop.scan.past import ran_before
from closedloop.scan.recorded import RecordedScan, read_scans
from closedloop.scan.status import ScanState
from closedloop.session import SessionReader

ONE = "runs.count=1"


def recorded(session: SimulatedScan) -> list[RecordedScan]:
    with SessionReader(session.folder) as reader:
        return read_scans(reader, session.work.loaded.protocol)


def events(session: SimulatedScan) -> list[str]:
    with SessionReader(session.folder) as reader:
        return [str(kind) for kind in reader.table("events")["kind"]]


def found(scan: RecordedScan, kind: str) -> dict[str, Any]:
    (one,) = (dict(one) for one in scan.findings if one["finding"] == kind)
    return one


def scanner_runs(session: SimulatedScan, first_s: float, volumes: int) -> None:
    """The scanner has a will of its own: one sequence, whatever is armed and disarmed."""
    session.trigger.play([float(volume) for volume in range(volumes)], start_s=first_s)
    session._arm = lambda _plan, _scan: None  # type: ignore[method-assign]  # nobody starts it
    session.trigger.stop = lambda: None  # type: ignore[method-assign]  # nor stops it


def test_a_trigger_that_died_while_the_stage_opened_arms_no_run(tmp_path: Path) -> None:
    session = prepare_scan(tmp_path / "one", ONE)
    session.trigger.play([-0.5])
    session.trigger.die(0.0, "the plug was pulled")
    with pytest.raises(TriggerError, match="the plug was pulled"):
        session.run()
    assert recorded(session) == []
    assert "unarmed_pulse" in events(session)


def test_a_scanner_that_runs_already_is_told_and_ends_the_run_before_anything_is_shown(
    tmp_path: Path,
) -> None:
    session = prepare_scan(tmp_path / "one", ONE)
    scanner_runs(session, 994.3, 13)
    assert session.run().exit_status == "stopped"
    (scan,) = recorded(session)
    assert scan.status == "aborted"
    assert "The scanner is running already: 6 pulses came before" in scan.reason
    assert len(scan.pulses) == 1
    assert len(scan.shown) == 0
    assert events(session).count("unarmed_pulse") == 6
    before = ran_before(scan)
    assert before is not None
    assert (before.since_s, before.last_s, before.pulses) == (994.3, pytest.approx(999.3), 6)
    armed = [one for one in session.operator.statuses if one.state is ScanState.ARMED]
    assert "running already" in armed[0].message


def test_how_much_was_missed_is_given_with_both_readings_where_the_run_goes_on(tmp_path: Path) -> None:
    session = prepare_scan(tmp_path / "one", ONE, "scanner.policy.running=warn")
    scanner_runs(session, 994.3, 13)
    session.run()
    (scan,) = recorded(session)
    assert found(scan, "running")["action"] == "warn"
    missed = found(scan, "first_missed")
    assert missed["count"] == 6  # more than a run that only ended short may lack
    assert [reading["offset_tr"] for reading in missed["detail"]["readings"]] == [6, 0]
    assert "Pulses came before the trigger was armed" in missed["words"]


def test_a_run_repeated_while_the_old_sequence_still_runs_is_not_begun(tmp_path: Path) -> None:
    session = prepare_scan(tmp_path / "one", ONE)
    scanner_runs(session, 1000.6, 13)
    session.at_console(
        (5.0, CommandKind.ABORT),
        (5.2, CommandKind.REPEAT),  # at once: no pulse came in between
        (8.3, CommandKind.REPEAT),
        (10.0, CommandKind.GO),
    )
    session.run()
    first, second, third = recorded(session)
    assert [scan.status for scan in (first, second, third)] == ["aborted"] * 3
    assert "running already: 5 pulses" in second.reason
    # those of the attempts before count, and those between
    assert "running already: 8 pulses" in third.reason
    assert len(second.shown) == len(third.shown) == 0


def test_a_scanner_that_fell_silent_may_start_anew(tmp_path: Path) -> None:
    session = prepare_scan(tmp_path / "one", ONE)
    session.trigger.play([0.0], start_s=999.9)  # the operator tried the key; the sequence begins at 1000.5
    start = session._arm

    def later(plan: Any, scan: int) -> None:
        session.clock.sleep(1.0)
        start(plan, scan)

    session._arm = later  # type: ignore[method-assign]  # the person at the scanner takes a while
    assert session.run().exit_status == "completed"
    (scan,) = recorded(session)
    assert "running" not in [one["finding"] for one in scan.findings]
    assert {status.message for status in session.operator.statuses if status.state is ScanState.RUNNING} == {
        ""
    }


def test_with_nobody_there_the_next_run_waits_for_silence(tmp_path: Path) -> None:
    session = prepare_scan(tmp_path / "one", "scanner.policy.stopped=warn")
    # two volumes more than the protocol says, and then the next run's sequence
    times_s = [*range(18), *range(24, 37)]
    session.trigger.play([float(time_s) for time_s in times_s], start_s=1000.6)
    session._arm = lambda _plan, _scan: None  # type: ignore[method-assign]  # the scanner runs by itself
    session.trigger.stop = lambda: None  # type: ignore[method-assign]  # and is not stopped
    assert session.run().exit_status == "completed"
    _, second = recorded(session)
    assert second.armed_s > 1018.6
    assert second.first_pulse_s == pytest.approx(1024.6)


def test_what_the_reader_says_of_itself_reaches_the_console_and_the_file(tmp_path: Path) -> None:
    session = prepare_scan(tmp_path / "one", ONE)
    words = "The trigger's stream 'gateway' was lost"
    session.trigger.notice(words, 0.2)
    session.run()
    assert "trigger_notice" in events(session)
    armed = [one for one in session.operator.statuses if one.state is ScanState.ARMED]
    assert words in {one.finding for one in armed}
