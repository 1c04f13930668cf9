"""A run that a person's press began: exports and report count from the scanner's own first stored volume."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from simulated_scan import SimulatedScan, prepare_scan

from closedloop.exports import export_bids
from closedloop.exports.scan_bids import write_scan_bids
from closedloop.exports.scan_nwb import write_scan_nwb
from closedloop.exports.scan_tables import SCAN_TABLES
from closedloop.report.scan_course import courses
from closedloop.scan.recorded import read_scans, scan_protocol_of
from closedloop.scan.settled import settle_all
from closedloop.scan.simulation import ScannerFaults
from closedloop.session import SessionReader
from experiments.replay_verify import verify_session

EARLY_S = 0.45
NULLS = (
    "design={kind: event_related, image_s: 0.3, lead_in: 0.5, null_share: 0.3,"
    " isi: {draw: uniform, shortest: 0.3, longest: 1.1}, repeats: 2}"
)


def of_faults(folder: Path, faults: ScannerFaults, *overrides: str) -> SimulatedScan:
    session = prepare_scan(folder, "runs.count=1", *overrides)
    session.faults = [faults]
    session.run()
    return session


@pytest.fixture(scope="module")
def pressed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The key is pressed 0.45 s before the sequence begins; no dummies, so the run begins with it."""
    folder = tmp_path_factory.mktemp("pressed") / "one"
    return of_faults(
        folder, ScannerFaults(human_s=(-EARLY_S,)), "scanner.dummies=0", "scanner.volumes=14", NULLS
    ).folder


@pytest.fixture(scope="module")
def dataset(pressed: Path) -> Path:
    export_bids(pressed)
    return pressed / "bids"


def only(dataset: Path, pattern: str) -> Path:
    (path,) = dataset.rglob(pattern)
    return path


def as_json(path: Path) -> dict[str, Any]:
    told: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
    return told


def test_a_recorder_of_the_markers_is_told_that_the_start_moved(pressed: Path) -> None:
    with SessionReader(pressed) as reader:
        markers = reader.details("markers", "payload")
        found = reader.details("events", "detail")
    told = [marker for marker in markers if marker["event"] == "pulse_finding"]
    assert "human" in {marker["finding"] for marker in told}
    kept = [detail for detail in found if detail.get("finding", "first") != "first"]
    assert [(marker["finding"], marker["words"]) for marker in told] == [
        (detail["finding"], detail["words"]) for detail in kept
    ]


def test_the_file_keeps_what_the_run_believed_and_the_true_start_is_found(pressed: Path) -> None:
    with SessionReader(pressed) as reader:
        scans = read_scans(reader, scan_protocol_of(reader))
    (scan,), (settled,) = scans, settle_all(scans)
    assert scan.start_s == scan.first_pulse_s
    assert settled.began_s == scan.start_s
    assert settled.start_s == pytest.approx(scan.start_s + EARLY_S)
    assert settled.off_s == pytest.approx(-EARLY_S)
    assert scan.pulses["verdict"].tolist()[:3] == ["volume", "human", "volume"]
    assert settled.pulses["verdict"].tolist()[:3] == ["human", "volume", "volume"]
    assert settled.pulses["volume"].tolist()[1:] == list(range(14))


def test_events_count_from_the_first_stored_volume(pressed: Path, dataset: Path) -> None:
    with SessionReader(pressed) as reader:
        (scan,) = settle_all(read_scans(reader, scan_protocol_of(reader)))
    events = pd.read_csv(only(dataset, "*_events.tsv"), sep="\t", na_values="n/a", keep_default_na=False)
    shown = events[events["stim_file"].notna()]
    volume_s = scan.pulses["time_s"][1]
    assert shown["onset"].tolist() == pytest.approx((scan.shown["onset_s"] - volume_s).tolist(), abs=1e-6)
    assert (shown["onset_error"] + EARLY_S).abs().max() < 0.01
    nulls = events[events["trial_type"] == "null"]
    assert len(nulls) > 0
    assert (nulls["onset"] - nulls["planned_onset"]).tolist() == pytest.approx(
        [-EARLY_S] * len(nulls), abs=1e-5
    )
    told = as_json(only(dataset, "*_events.json"))
    assert f"0 is LSL local_clock {volume_s:.6f} s" in told["onset"]["Description"]
    assert "0.450 s before it" in told["onset"]["Description"]
    assert told["ScanRun"]["OnsetZero"] == pytest.approx(volume_s)
    assert told["ScanRun"]["StartThatTheRunBelieved"] == pytest.approx(volume_s - EARLY_S)
    assert "0.450 s before it" in (dataset / "README.md").read_text(encoding="utf-8")


def test_the_physio_file_has_the_triggers_of_the_scanner_alone(dataset: Path) -> None:
    told = as_json(only(dataset, "*_physio.json"))
    samples = np.loadtxt(only(dataset, "*_physio.tsv.gz"), dtype=int)
    seconds = told["StartTime"] + np.arange(len(samples)) / told["SamplingFrequency"]
    assert told["StartTime"] == pytest.approx(-EARLY_S, abs=0.002)
    assert seconds[samples[:, 0] == 1] == pytest.approx(np.arange(14.0), abs=0.001)
    assert seconds[samples[:, 1] == 0][0] == pytest.approx(0.0, abs=0.001)
    assert seconds[samples[:, 2] == 5] == pytest.approx([-EARLY_S], abs=0.001)


def test_nwb_tables_and_report_count_from_there_as_well(pressed: Path, tmp_path: Path) -> None:
    pynwb = pytest.importorskip("pynwb")
    with SessionReader(pressed) as reader:
        protocol = scan_protocol_of(reader)
        scans = read_scans(reader, protocol)
        (scan,), (course,) = settle_all(scans), courses(scans, protocol)
        onsets_s = (scan.shown["onset_s"] - scan.start_s).tolist()
        planned, pulses, runs = (SCAN_TABLES[name](reader) for name in ("planned", "pulses", "scans"))
        write_scan_nwb(reader, tmp_path / "one.nwb")
    with pynwb.NWBHDF5IO(str(tmp_path / "one.nwb"), "r") as file:
        nwb = file.read()
        assert list(nwb.trials["onset"][:]) == pytest.approx(onsets_s)
        assert list(nwb.intervals["scan_runs"]["began_late_s"][:]) == pytest.approx([-EARLY_S])
    assert sorted(planned["shown_at_s"].dropna()) == pytest.approx(onsets_s)
    assert pulses["from_start_s"].tolist()[:3] == pytest.approx([-EARLY_S, 0.0, 1.0])
    assert runs["first_stored_s"].tolist() == [scan.start_s]
    assert runs["start_s"].tolist() == [scan.began_s]
    assert course.onsets_s.tolist() == pytest.approx(onsets_s)
    assert any("began 0.450 s before the first volume" in fault for fault in course.faults)
    assert np.abs(course.residuals_ms).max() < 1


def test_a_run_whose_start_is_right_is_left_as_it_is(tmp_path: Path) -> None:
    session = of_faults(tmp_path / "one", ScannerFaults(drop_first=1))
    with SessionReader(session.folder) as reader:
        (scan,) = read_scans(reader, scan_protocol_of(reader))
        (settled,) = settle_all([scan])
    assert scan.ledger["first_missed"]["by"] == "count"  # both readings stay
    assert (settled.start_s, settled.off_s) == (scan.start_s, 0.0)
    pd.testing.assert_frame_equal(settled.pulses, scan.pulses)


def test_a_scanner_that_stops_before_the_first_stored_volume(tmp_path: Path) -> None:
    session = of_faults(tmp_path / "one", ScannerFaults(stop_after=2), "scanner.dummies=2")
    verified = verify_session(session.folder)
    assert verified.first is None
    with SessionReader(session.folder) as reader:
        protocol = scan_protocol_of(reader)
        (scan,) = scans = read_scans(reader, protocol)
        (course,) = courses(scans, protocol)
        written = write_scan_bids(reader, tmp_path / "bids", stand_in=False)
    assert scan.started  # as the run believed, since it cannot know that no volume will come
    assert course.faults == ["It never began: no stored volume came."]
    names = [path.name.split("_")[-1] for path in written if path.parent.name == "func"]
    assert sorted(names) == ["events.json", "events.tsv"]
    (events,) = (path for path in written if path.name.endswith("_events.tsv"))
    assert len(events.read_text(encoding="utf-8").splitlines()) == 1
