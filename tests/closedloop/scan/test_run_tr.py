"""The TR of a run is the protocol's until its pulses say for sure that it was another."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from scan_session_factory import Attempt, ScanPlan, protocol_of, write_scan_session

from closedloop.exports.scan_bold import bold_sidecar, repetition_time_s
from closedloop.protocol.scan import ScanProtocol
from closedloop.report.scan_course import courses
from closedloop.scan.ledger import PulseLedger
from closedloop.scan.ports import Pulse
from closedloop.scan.recorded import RecordedScan, read_scans
from closedloop.scan.run_tr import run_tr
from closedloop.session import SessionReader


@dataclass(frozen=True, eq=False)
class Recorded:
    """A scan run as a session file holds it, and as it would with other pulses."""

    scan: RecordedScan
    protocol: ScanProtocol

    def hearing(self, times_s: Sequence[float]) -> RecordedScan:
        """The run with these pulses, from its arming on."""
        armed_s = self.scan.armed_s
        ledger = PulseLedger(self.protocol.scanner_of(self.scan.volumes), armed_s)
        pulses = [
            Pulse(armed_s + time_s, 0.0005, armed_s + time_s, armed_s + time_s + 0.001, "5")
            for time_s in times_s
        ]
        findings, rows = [], []
        for pulse in pulses:
            findings += ledger.tick(pulse.received_s)
            entry, told_by_it = ledger.feed(pulse)
            findings += told_by_it
            rows.append({**vars(pulse), **vars(entry)})
        told = [
            {
                "finding": one.kind,
                "time_s": one.time_s,
                "count": one.count,
                "words": one.words,
                "detail": dict(one.detail),
            }
            for one in findings
        ]
        table = pd.DataFrame(rows).astype({"volume": "Int64"})
        return replace(self.scan, pulses=table, ledger=ledger.summary(), findings=tuple(told))


@pytest.fixture(scope="module")
def recorded(tmp_path_factory: pytest.TempPathFactory) -> Recorded:
    plan = ScanPlan((Attempt(0, status="aborted", end_s=1.5),))
    protocol = protocol_of(plan)
    with SessionReader(write_scan_session(tmp_path_factory.mktemp("scan") / "s", plan)) as reader:
        (scan,) = read_scans(reader, protocol)
    return Recorded(scan, protocol)


@pytest.mark.parametrize("pulses", [3, 4, 5, 6, 8, 12])
def test_no_tr_is_made_of_the_jitter_of_a_few_pulses(recorded: Recorded, pulses: int) -> None:
    rng = np.random.default_rng(pulses)
    beyond = 0
    for _ in range(60):
        scan = recorded.hearing((1 + np.arange(pulses) + rng.uniform(-0.005, 0.005, pulses)).tolist())
        beyond += abs(scan.ledger["tr_fitted_s"] - 1) > 0.002
        assert not run_tr(scan, recorded.protocol).off
        tr_s, source = repetition_time_s(scan, recorded.protocol)
        assert tr_s == 1.0
        assert source.startswith("the protocol's")
    assert beyond > 0 or pulses > 5  # so that there was something not to believe


def test_a_run_that_was_aborted_at_once_has_no_other_tr_in_the_report(tmp_path: Path) -> None:
    plan = ScanPlan((Attempt(0, status="aborted", end_s=1.5),), jitter_s=0.02)
    protocol = protocol_of(plan)
    with SessionReader(write_scan_session(tmp_path / "s", plan)) as reader:
        (course,) = courses(read_scans(reader, protocol), protocol)
    assert len(course.pulses_s) == 4
    assert abs(course.tr_fitted_s - 1) > protocol.scanner.tr_tolerance
    assert not any("TR was" in fault for fault in course.faults)


def test_a_tr_that_is_off_is_taken_from_the_fit_over_all_pulses(recorded: Recorded) -> None:
    rng = np.random.default_rng(1)
    scan = recorded.hearing((1 + 1.0085 * np.arange(30) + rng.uniform(-0.005, 0.005, 30)).tolist())
    tr_s, source = repetition_time_s(scan, recorded.protocol)
    assert tr_s == pytest.approx(scan.ledger["tr_fitted_s"], abs=1e-6)
    assert source == "measured by its triggers; the protocol has 1 s"


def test_after_a_jump_near_the_end_the_tr_is_what_the_operator_was_told(recorded: Recorded) -> None:
    rng = np.random.default_rng(1)
    times_s = 1 + 1.0085 * np.arange(30) + rng.uniform(-0.005, 0.005, 30)
    times_s[-3:] += 0.4
    scan = recorded.hearing(times_s.tolist())
    told = [one for one in scan.findings if one["finding"] == "tr_off"]
    assert any("phase_jump_s" in one["detail"] for one in scan.findings)
    tr = run_tr(scan, recorded.protocol)
    assert tr.off
    assert tr.tr_s == told[-1]["detail"]["tr_fitted_s"] == pytest.approx(1.0085, abs=0.004)
    assert tr.tr_s != scan.ledger["tr_fitted_s"]


def test_a_jump_near_the_end_alone_makes_no_other_tr(recorded: Recorded) -> None:
    times_s = 1.0 + np.arange(30)
    times_s[-3:] += [0.4, 0.404, 0.41]
    scan = recorded.hearing(times_s.tolist())
    assert abs(scan.ledger["tr_fitted_s"] - 1) > 0.002
    assert run_tr(scan, recorded.protocol).verdict == "unsure"


@pytest.mark.parametrize("a_tr", [2, 5])
def test_several_pulses_a_tr_are_no_measure_of_it(recorded: Recorded, a_tr: int) -> None:
    tr_s = recorded.protocol.scanner.tr_s
    scan = recorded.hearing([1 + tr_s / a_tr * number for number in range(20 * a_tr)])
    assert run_tr(scan, recorded.protocol).verdict == "unsure"
    assert repetition_time_s(scan, recorded.protocol)[0] == tr_s
    sidecar = bold_sidecar(scan, recorded.protocol, stand_in=False)
    assert sidecar["TriggeredRepetitionTime"]["Fitted"] is None
    (course,) = courses([scan], recorded.protocol)
    assert np.isnan(course.tr_fitted_s)
    (fault,) = (fault for fault in course.faults if "Its pulses came every" in fault)
    assert f"every {tr_s / a_tr:.3f} s" in fault
    assert not any("person" in fault or "makes more" in fault for fault in course.faults)
