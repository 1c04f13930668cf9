"""A scanner session as BIDS dataset, NWB file and tables: every run, aborted ones too."""

from __future__ import annotations

import gzip
import json
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from bids_validation import bids_errors
from scan_session_factory import ABORTED, PROTOCOL, Attempt, ScanPlan, write_scan_session

from closedloop.exports import export_bids, export_nwb, export_session
from closedloop.exports.scan_bids import write_scan_bids
from closedloop.scan.recorded import read_scans
from closedloop.scan.simulation import ScannerFaults
from closedloop.session import SessionReader

SPARSE = PROTOCOL.replace("dummies: 2,", "dummies: 2, acquisition_s: 0.4,")


@pytest.fixture(scope="module")
def session(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_scan_session(tmp_path_factory.mktemp("scan") / "aborted", ABORTED)


@pytest.fixture(scope="module")
def dataset(session: Path) -> Path:
    export_bids(session)
    return session / "bids"


def table(dataset: Path, run: str) -> pd.DataFrame:
    (path,) = dataset.glob(f"sub-*/ses-*/func/*_task-faces_{run}_events.tsv")
    return pd.read_csv(path, sep="\t", na_values="n/a", keep_default_na=False)


def sidecar(dataset: Path, run: str, suffix: str) -> dict[str, Any]:
    (path,) = dataset.glob(f"sub-*/ses-*/func/*_task-faces_{run}_{suffix}.json")
    found: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
    return found


def test_the_dataset_is_valid(dataset: Path) -> None:
    assert bids_errors(dataset) == []


def test_images_stand_in_only_for_those_of_a_simulated_scanner(
    session: Path, dataset: Path, tmp_path: Path
) -> None:
    with SessionReader(session) as reader:
        write_scan_bids(reader, tmp_path, stand_in=False)
    assert not list(tmp_path.rglob("*.nii.gz"))
    assert "SIDECAR_WITHOUT_DATAFILE" in (tmp_path / "README.md").read_text(encoding="utf-8")
    assert len(list(dataset.rglob("*.nii.gz"))) == 3  # none of the run that never began
    assert "holds no data" in sidecar(dataset, "run-1", "bold")["StandIn"]
    assert "stand-in" in (dataset / "README.md").read_text(encoding="utf-8")


def test_only_the_attempt_that_counts_has_the_runs_own_name(dataset: Path) -> None:
    found = sorted(path.name.split("_task-faces_")[1] for path in dataset.rglob("*_events.tsv"))
    assert found == [
        "acq-aborted1_run-2_events.tsv",
        "acq-aborted2_run-2_events.tsv",
        "run-1_events.tsv",
        "run-2_events.tsv",
    ]
    assert sidecar(dataset, "run-2", "events")["ScanRun"]["Status"] == "completed"
    assert sidecar(dataset, "acq-aborted1_run-2", "events")["ScanRun"]["Status"] == "aborted"


def test_a_run_that_was_shown_again_is_superseded(tmp_path: Path) -> None:
    write_scan_session(
        tmp_path / "s", ScanPlan((Attempt(0), Attempt(0), Attempt(1, status=None)), exit_status=None)
    )
    export_bids(tmp_path / "s", tmp_path / "bids")
    found = {path.name.split("_task-faces_")[1] for path in (tmp_path / "bids").rglob("*_events.tsv")}
    assert found == {
        "acq-superseded1_run-1_events.tsv",
        "run-1_events.tsv",
        "acq-aborted1_run-2_events.tsv",
    }


def test_onsets_count_from_the_first_stored_volume(session: Path, dataset: Path) -> None:
    with SessionReader(session) as reader:
        first = read_scans(reader)[0]
        trials = reader.table("trials")
    events = table(dataset, "run-1")
    shown = events[events["stim_file"].notna()]
    assert shown["onset"].tolist() == pytest.approx(
        (trials["onset_s"][: len(shown)] - first.start_s).tolist(), abs=1e-6
    )
    assert (shown["onset"] - shown["planned_onset"]).tolist() == pytest.approx(
        shown["onset_error"].tolist(), abs=2e-6
    )
    assert shown["onset_error"].abs().max() < 0.5 / 60 + 0.001
    assert events["onset"].is_monotonic_increasing


def test_each_event_says_what_it_was_and_what_came_of_it(dataset: Path) -> None:
    events = table(dataset, "run-1")
    assert set(events["trial_type"]) == {"faces", "houses", "null"}
    null = events[events["trial_type"] == "null"]
    assert len(null)
    assert null["stim_file"].isna().all()
    assert null["valid"].isna().all()
    assert (null["onset"] == null["planned_onset"]).all()
    missed = events[events["missed_frames"] == 1]
    assert missed["valid"].tolist() == [False]
    assert missed["reason"].tolist() == ["missed-frame"]
    asked = events[events["one_back"] == 1]
    assert len(asked) == 2
    assert events["response_time"].dropna().between(0.35, 0.8).all()
    for name in events["stim_file"].dropna():
        assert (dataset / "stimuli" / name).is_file()


def test_an_aborted_run_has_what_took_place_and_one_that_never_began_has_none(dataset: Path) -> None:
    cut = table(dataset, "acq-aborted1_run-2")
    assert 0 < len(cut) < len(table(dataset, "run-2"))
    assert cut["onset"].max() < 12.3
    assert table(dataset, "acq-aborted2_run-2").empty
    assert not list(dataset.rglob("*acq-aborted2_run-2_physio*"))


def test_the_screen_is_told_in_metres(dataset: Path) -> None:
    told = sidecar(dataset, "run-1", "events")["StimulusPresentation"]
    assert isinstance(told, dict)
    assert told["ScreenDistance"] == 0.9
    assert told["ScreenSize"] == [0.4, 0.3]
    assert told["ScreenResolution"] == [1024, 768]
    assert told["ScreenRefreshRate"] == 60.0
    assert "closedloop" in told["SoftwareVersion"]
    assert "PsychoPy" in told["SoftwareVersion"]
    assert told["OperatingSystem"].startswith("Linux")


def test_the_physio_file_has_a_1_for_each_pulse(session: Path, dataset: Path) -> None:
    with SessionReader(session) as reader:
        scan = read_scans(reader)[1]
    about = sidecar(dataset, "acq-aborted1_run-2", "physio")
    (path,) = dataset.rglob("*_acq-aborted1_run-2_physio.tsv.gz")
    samples = np.loadtxt(gzip.decompress(path.read_bytes()).decode().splitlines(), dtype=int)
    columns = dict(zip(about["Columns"], samples.T, strict=True))
    times = about["StartTime"] + np.flatnonzero(columns["trigger"]) / 1000
    counted = scan.pulses[scan.pulses["verdict"] == "volume"]
    assert times == pytest.approx((counted["time_s"] - scan.start_s).tolist(), abs=0.0005001)
    assert (columns["pulse"] == 3).sum() == 1  # the doubled one, which is no trigger
    assert columns["volume"][0] == -1
    assert columns["volume"].max() == 12
    assert (columns["response"] > 0).sum() == len(scan.presses)
    begins_s = about["StartTime"] + np.argmax(columns["volume"] == 0) / 1000
    assert begins_s == pytest.approx(0.0, abs=0.0005001)


def test_the_tr_is_the_protocols_unless_the_pulses_say_another(dataset: Path) -> None:
    assert sidecar(dataset, "run-1", "bold")["RepetitionTime"] == 1.0
    assert sidecar(dataset, "run-2", "bold")["RepetitionTime"] == pytest.approx(1.0085, abs=0.0003)
    assert sidecar(dataset, "run-1", "bold")["NumberOfVolumesDiscardedByScanner"] == 2
    assert sidecar(dataset, "run-1", "bold")["TaskName"] == "faces"


def test_sparse_runs_have_the_time_of_each_volume(tmp_path: Path) -> None:
    plan = ScanPlan((Attempt(0, faults=ScannerFaults(drop=(20,))),), protocol=SPARSE)
    export_bids(write_scan_session(tmp_path / "s", plan), tmp_path / "bids")
    told = sidecar(tmp_path / "bids", "run-1", "bold")
    assert told["VolumeTiming"] == [float(volume) for volume in range(40)]
    assert told["FrameAcquisitionDuration"] == 0.4
    assert "AcquisitionDuration" not in told
    assert "RepetitionTime" not in told
    assert bids_errors(tmp_path / "bids") == []


def test_the_tables_hold_pulses_and_plan(session: Path, tmp_path: Path) -> None:
    written = {path.name for path in export_session(session, tmp_path)}
    assert {"scans.parquet", "planned.parquet", "pulses.parquet", "presses.parquet"} <= written
    assert "code-0001.png" in written
    scans = pd.read_parquet(tmp_path / "tables" / "scans.parquet")
    assert scans["status"].tolist() == ["completed", "aborted", "aborted", "completed"]
    assert scans["tr_fitted_s"].iloc[3] == pytest.approx(1.0085, abs=0.0003)
    planned = pd.read_parquet(tmp_path / "tables" / "planned.parquet")
    assert planned["onset_error_s"].abs().max() < 0.01
    pulses = pd.read_parquet(tmp_path / "tables" / "pulses.parquet")
    assert pulses.loc[(pulses["scan"] == 0) & (pulses["volume"] == 2), "from_start_s"].tolist() == [0.0]


def test_the_nwb_file_has_no_critical_finding(session: Path, tmp_path: Path) -> None:
    pynwb = pytest.importorskip("pynwb")
    nwbinspector = pytest.importorskip("nwbinspector")
    path = export_nwb(session, tmp_path)
    findings = nwbinspector.inspect_nwbfile(nwbfile_path=str(path))
    good_enough = ("BEST_PRACTICE_SUGGESTION",)
    assert [one.message for one in findings if one.importance.name not in good_enough] == []
    with pynwb.NWBHDF5IO(str(path), "r") as io:
        assert not [str(error) for error in pynwb.validate(io=io)]
        file = io.read()
        with SessionReader(session) as reader:
            assert len(file.events["pulses"]) == len(reader.table("pulses"))
            assert len(file.events["presses"]) == len(reader.table("presses"))
            assert len(file.trials) == int(reader.table("trials")["onset_s"].notna().sum())
        runs = file.intervals["scan_runs"].to_dataframe()
        assert runs["status"].tolist() == ["completed", "aborted", "completed"]
