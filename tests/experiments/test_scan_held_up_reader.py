"""A trigger's reader whose processor was taken away hands pulses over late; the scanner has not stopped for that."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import pytest
from simulated_scan import SHORT, SimulatedScan, prepare_scan

from closedloop.loop.commands import Command
from closedloop.scan.simulation import ScannerFaults
from closedloop.session import SessionReader

TR_S = 0.5
FIRST_S = 0.51  # after arming: the first pulse
OPTIONS = (*SHORT[1:], "scanner.volumes=16", f"scanner.tr_s={TR_S}", "runs={count: 1}")


def held_up(session: SimulatedScan, after_s: float, for_s: float) -> Callable[[], Sequence[Command]]:
    """Hold the reader up so long after the first pulse of the run."""
    left = [(FIRST_S + after_s, for_s)]

    def script() -> Sequence[Command]:
        if session.armed and left:
            after_arming_s, seconds = left.pop()
            session.trigger.hold_up(seconds, after_arming_s)
        return ()

    return script


def findings(folder: Path, *kinds: str) -> list[dict[str, Any]]:
    with SessionReader(folder) as reader:
        events = reader.table("events")
        return [
            {**detail, "time_s": time_s}
            for kind, time_s, detail in zip(
                events["kind"], events["time_s"], reader.details("events", "detail"), strict=True
            )
            if kind == "pulse" and detail["finding"] in kinds
        ]


def statuses(folder: Path) -> list[str]:
    with SessionReader(folder) as reader:
        return [str(status) for status in reader.table("scans")["status"]]


def ledger_of(folder: Path) -> dict[str, Any]:
    with SessionReader(folder) as reader:
        ledger: dict[str, Any] = json.loads(reader.table("scans")["ledger"].iloc[0])
        return ledger


@pytest.mark.parametrize("for_s", [0.4, 1.3, 3.0])
def test_pulses_that_come_late_by_the_reader_are_neither_missed_nor_a_stop(
    tmp_path: Path, for_s: float
) -> None:
    session = prepare_scan(tmp_path / "s", *OPTIONS, "scanner.dummies=0")
    session.operator.script = held_up(session, 4 * TR_S - 0.05, for_s)
    session.run()
    assert statuses(tmp_path / "s") == ["completed"]
    assert findings(tmp_path / "s", "missed", "stopped", "first_missed", "extra", "human") == []


def test_a_run_whose_end_was_not_listened_to_is_not_over(tmp_path: Path) -> None:
    session = prepare_scan(tmp_path / "s", *OPTIONS, "scanner.dummies=0")
    session.operator.script = held_up(session, 13 * TR_S + 0.1, 3.0)
    session.run()
    assert statuses(tmp_path / "s") == ["completed"]
    assert ledger_of(tmp_path / "s")["volumes_seen"] == 16
    assert findings(tmp_path / "s", "missed", "stopped", "first_missed") == []


def test_a_scanner_that_stopped_while_the_reader_was_held_up_is_still_told_of(tmp_path: Path) -> None:
    session = prepare_scan(tmp_path / "s", *OPTIONS, "scanner.dummies=0")
    session.faults = [ScannerFaults(stop_after=5)]
    session.operator.script = held_up(session, 4 * TR_S + 0.1, 1.0)
    session.run()
    assert statuses(tmp_path / "s") == ["aborted"]
    (stop,) = findings(tmp_path / "s", "stopped")
    silent_since_s = stop["detail"]["last_pulse_s"]
    assert 2.4 * TR_S < stop["time_s"] - silent_since_s < 0.1 + 2 * 1.0 + 0.1


def test_a_pulse_that_is_missing_is_told_within_one_and_a_half_tr_as_ever(tmp_path: Path) -> None:
    session = prepare_scan(tmp_path / "s", *OPTIONS, "scanner.dummies=0")
    session.faults = [ScannerFaults(drop=(6,))]
    session.run()
    (missed,) = findings(tmp_path / "s", "missed")
    assert 1.4 < missed["detail"]["silent_tr"] < 1.5
