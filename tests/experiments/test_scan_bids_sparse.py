"""The ``*_bold.json`` of sparse runs, and what a converter joins into it: what BIDS has beside each other."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from bids_validation import bids_errors
from scan_session_factory import PROTOCOL, Attempt, ScanPlan, write_scan_session

from closedloop.exports import export_bids
from closedloop.scan.simulation import ScannerFaults

SPARSE = PROTOCOL.replace("dummies: 2,", "dummies: 2, acquisition_s: 0.4,")
OPEN = SPARSE.replace("dummies: 2,", "dummies: 2, sequence_ends: open,")
LAST_LOST = ScannerFaults(drop=(41,))  # of 2 dummies and 40 stored volumes
WHOLE_SCAN_S = 41.5


def exported(folder: Path, protocol: str = SPARSE, attempt: Attempt | None = None) -> tuple[Path, Path]:
    """Return a session and the ``*_bold.json`` of its only run."""
    session = write_scan_session(folder, ScanPlan((attempt or Attempt(0),), protocol=protocol))
    export_bids(session)
    (bold,) = (session / "bids").rglob("*_bold.json")
    return session, bold


def told(path: Path) -> dict[str, Any]:
    content: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
    return content


def again(session: Path) -> list[str]:
    said: list[str] = []
    export_bids(session, say=said.append)
    return said


def test_a_joined_repetition_time_goes_and_that_is_said(tmp_path: Path) -> None:
    session, bold = exported(tmp_path / "s")
    ours = told(bold)
    converted = {"EchoTime": 0.03, "RepetitionTime": 1.0, "DelayTime": 0.6}
    bold.write_text(json.dumps({**ours, **converted}), encoding="utf-8")
    assert bids_errors(session / "bids")
    said = again(session)
    assert told(bold) == {**ours, "EchoTime": 0.03}
    assert bids_errors(session / "bids") == []
    assert any("RepetitionTime and DelayTime went out of run-1_bold.json" in line for line in said)
    assert any("was kept: run-1 (EchoTime)" in line for line in said)


def test_what_an_earlier_version_wrote_for_a_volume_goes_without_a_word(tmp_path: Path) -> None:
    session, bold = exported(tmp_path / "s")
    ours = told(bold)
    former = {key: value for key, value in ours.items() if key != "FrameAcquisitionDuration"}
    bold.write_text(json.dumps({**former, "AcquisitionDuration": 0.4}), encoding="utf-8")
    assert again(session) == []
    assert told(bold) == ours


@pytest.mark.parametrize("protocol", [SPARSE, PROTOCOL])
def test_the_duration_of_the_whole_scan_is_the_converters(tmp_path: Path, protocol: str) -> None:
    session, bold = exported(tmp_path / "s", protocol)
    ours = told(bold)
    bold.write_text(json.dumps({**ours, "AcquisitionDuration": WHOLE_SCAN_S}), encoding="utf-8")
    again(session)
    assert told(bold) == {**ours, "AcquisitionDuration": WHOLE_SCAN_S}
    assert bids_errors(session / "bids") == []


def test_a_sidecar_of_an_earlier_version_that_no_attempt_has_goes(tmp_path: Path) -> None:
    session, bold = exported(tmp_path / "s")
    former = {key: value for key, value in told(bold).items() if key != "FrameAcquisitionDuration"}
    events = bold.with_name(bold.name.replace("bold", "events"))
    about = told(events)
    about["ScanRun"]["Attempt"] = 7
    for path, content in ((bold, {**former, "AcquisitionDuration": 0.4}), (events, about)):
        path.with_name(path.name.replace("run-1", "acq-aborted1_run-1")).write_text(json.dumps(content))
    again(session)
    assert [path.name for path in bold.parent.glob("*_bold.json")] == [bold.name]


def test_a_whole_run_has_the_time_of_a_last_volume_whose_pulse_was_lost(tmp_path: Path) -> None:
    _, bold = exported(tmp_path / "s", attempt=Attempt(0, faults=LAST_LOST))
    assert told(bold)["VolumeTiming"] == [float(volume) for volume in range(40)]
    assert told(bold)["TriggeredVolumes"] == {"Expected": 40, "Seen": 39}


@pytest.mark.parametrize(
    ("protocol", "attempt", "heard"),
    [
        (OPEN, Attempt(0, faults=LAST_LOST), 39),
        (SPARSE, Attempt(0, status="aborted", end_s=12.3), 13),
    ],
    ids=["open", "aborted"],
)
def test_else_the_list_ends_with_the_last_volume_heard_and_stays_where_it_was_gone_on_with(
    tmp_path: Path, protocol: str, attempt: Attempt, heard: int
) -> None:
    session, bold = exported(tmp_path / "s", protocol, attempt)
    assert told(bold)["VolumeTiming"] == [float(volume) for volume in range(heard)]
    longer = {**told(bold), "VolumeTiming": [float(volume) for volume in range(40)]}
    bold.write_text(json.dumps(longer), encoding="utf-8")
    said = again(session)
    assert told(bold) == longer
    assert any("was kept" in line and "VolumeTiming" in line for line in said)


def test_a_list_that_does_not_go_on_from_ours_is_brought_up_to_date(tmp_path: Path) -> None:
    session, bold = exported(tmp_path / "s", OPEN)
    ours = told(bold)
    other = {**ours, "VolumeTiming": [2.0 * volume for volume in range(60)]}
    bold.write_text(json.dumps(other), encoding="utf-8")
    again(session)
    assert told(bold) == ours
