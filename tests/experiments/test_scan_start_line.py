"""A start whose own stamp is off the line of the pulses around it: exports and report count from the line."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from simulated_scan import prepare_scan

from closedloop.exports.scan_bids import write_scan_bids
from closedloop.exports.scan_physio import physio
from closedloop.report.scan_course import ScanCourse, courses
from closedloop.scan.recorded import read_scans, scan_protocol_of
from closedloop.scan.settled import SettledScan
from closedloop.scan.simulation import ScannerFaults
from closedloop.session import SessionReader

ARMED_S = 0.51  # from arming to the first pulse


def settled(
    folder: Path, faults: ScannerFaults, *overrides: str, jitter_s: float = 0.0
) -> tuple[SettledScan, ScanCourse]:
    """Run a session of one run, and return the run as it is known afterwards."""
    session = prepare_scan(folder, "runs.count=1", *overrides)
    session.faults, session.jitter_s = [faults], jitter_s
    session.run()
    with SessionReader(folder) as reader:
        protocol = scan_protocol_of(reader)
        (course,) = courses(read_scans(reader, protocol), protocol)
    return course.scan, course


def sidecar_and_events(folder: Path) -> tuple[dict[str, dict[str, str]], pd.DataFrame]:
    with SessionReader(folder) as reader:
        written = write_scan_bids(reader, folder / "bids", stand_in=False)
    (sidecar,) = (path for path in written if path.name.endswith("_events.json"))
    (events,) = (path for path in written if path.name.endswith("_events.tsv"))
    return json.loads(sidecar.read_text(encoding="utf-8")), pd.read_csv(events, sep="\t", na_values="n/a")


def test_a_press_that_took_the_place_of_the_first_stored_volume(tmp_path: Path) -> None:
    # one dummy: by a single pulse nothing tells the press from a pulse that is early against a late stamp
    scan, course = settled(tmp_path / "one", ScannerFaults(human_s=(0.85,)), "task=null")
    assert scan.off_s == pytest.approx(-0.15, abs=1e-6)
    assert scan.moved == "stray_stamp"
    assert scan.start_s == pytest.approx(scan.ledger["start_by_fit_s"], abs=0.02)
    assert scan.pulses["verdict"].tolist()[:4] == ["volume", "human", "volume", "volume"]
    assert scan.pulses["volume"].tolist()[:4] == [0, None, 1, 2]
    assert scan.pulses["time_s"][2] == pytest.approx(scan.start_s)
    told, events = sidecar_and_events(tmp_path / "one")
    assert "0.150 s before it, as a pulse that was not the scanner's" in told["onset"]["Description"]
    assert "the line through the scanner's other pulses" in told["onset"]["Description"]
    assert (events["onset_error"] + 0.15).abs().max() < 0.01
    assert any(
        "began 0.150 s before the first volume, as a pulse that was not" in one for one in course.faults
    )


def test_a_first_stamp_that_was_late(tmp_path: Path) -> None:
    faults = ScannerFaults(drop_first=1, human_s=(0.15,))
    scan, course = settled(tmp_path / "one", faults, "scanner.dummies=0", jitter_s=0.002)
    assert scan.off_s == pytest.approx(0.15, abs=0.005)
    assert scan.moved == "late_stamp"
    assert scan.pulses["volume"].tolist() == list(range(12))
    told, _ = sidecar_and_events(tmp_path / "one")
    assert "after it, as the volume's pulse was stamped late" in told["onset"]["Description"]
    assert any(
        "after the first volume, as the volume's pulse was stamped late" in one for one in course.faults
    )
    recording = physio(scan)
    assert recording is not None
    begins_s, samples = recording
    assert begins_s + int(np.argmax(samples[:, 1] == 0)) / 1000 == pytest.approx(0.0)


@pytest.mark.parametrize("jitter_s", [0.0, 0.005])
@pytest.mark.parametrize("dummies", [0, 2])
@pytest.mark.parametrize(
    "faults",
    [
        ScannerFaults(),
        ScannerFaults(tr_error=0.0085),
        ScannerFaults(drift=0.02),
        ScannerFaults(drop=(2,)),
        ScannerFaults(stop_after=7),
    ],
    ids=["none", "tr", "drift", "lost", "stop"],
)
def test_a_start_that_jitters_as_all_pulses_do_stays(
    tmp_path: Path, faults: ScannerFaults, dummies: int, jitter_s: float
) -> None:
    scan, _ = settled(tmp_path / "one", faults, f"scanner.dummies={dummies}", jitter_s=jitter_s)
    assert (scan.moved, scan.off_s) == ("", 0.0)


def test_a_sequence_that_is_held_up_later_does_not_move_its_start(tmp_path: Path) -> None:
    faults = ScannerFaults(drop=tuple(range(4, 40)), extra_s=tuple(4.3 + number for number in range(35)))
    overrides = ("scanner.dummies=0", "scanner.volumes=40", "scanner.policy.stopped=warn")
    scan, _ = settled(tmp_path / "one", faults, *overrides)
    assert any("phase_jump_s" in (found.get("detail") or {}) for found in scan.findings)
    assert (scan.moved, scan.off_s) == ("", 0.0)


def test_a_stray_first_pulse_before_dummies_leaves_the_start_as_it_is(tmp_path: Path) -> None:
    faults = ScannerFaults(human_s=(-0.45,), drop=(2,))
    scan, _ = settled(tmp_path / "one", faults, "scanner.dummies=2", jitter_s=0.004)
    assert (scan.moved, scan.off_s) == ("", 0.0)
    assert scan.pulses["verdict"].tolist()[:2] == ["human", "volume"]


def test_the_first_slice_that_was_heard_begins_no_volume(tmp_path: Path) -> None:
    sparse = ("tr_s=4", "volumes=8", "dummies=0", "slices=20", "pulse_per=slice", "acquisition_s=2")
    overrides = [f"scanner.{one}" for one in (*sparse, "debounce_ms=20")]
    scan, course = settled(
        tmp_path / "one", ScannerFaults(drop_first=5), *overrides, "design.lead_in=4", jitter_s=0.002
    )
    assert scan.moved == "slices_missed"
    assert scan.off_s == pytest.approx(0.5, abs=0.01)
    assert scan.pulses["verdict"].tolist()[:2] == ["slice", "slice"]
    assert np.abs(course.residuals_ms).max() < 10
    recording = physio(scan)
    assert recording is not None
    begins_s, samples = recording
    first = [begins_s + int(np.argmax(samples[:, 1] == volume)) / 1000 for volume in (0, 1)]
    assert first == pytest.approx([0.0, 4.0], abs=0.01)
