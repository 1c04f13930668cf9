"""A start that is known late costs the images that were due before it, and no time of those after."""

from __future__ import annotations

from pathlib import Path

import pytest
from simulated_scan import prepare_scan

from closedloop.scan.recorded import RecordedScan, read_scans
from closedloop.scan.simulation import ScannerFaults
from closedloop.session import SessionReader

PERIOD_S = 1 / 60
# images of half a second, one after the other or with gaps; the first stored pulse is missed, and the fit of
# the others gives its time when it has been waited for
SCAN = ("runs.count=1", "task=null", "scanner.tr_s=2", "scanner.volumes=16", "scanner.dummies=1")
DESIGN = "design={{kind: block, block: {block}, rest: 0, rest_at_end: false, blocks: 1, image_s: 0.5, gap_s: {gap}}}"


def run(folder: Path, gap_s: float, missed_frames: float = 0.0) -> RecordedScan:
    session = prepare_scan(folder, *SCAN, DESIGN.format(block=30, gap=gap_s), missed_frames=missed_frames)
    session.faults = [ScannerFaults(drop=(1,))]
    assert session.run().exit_status == "completed"
    with SessionReader(session.folder) as reader:
        (scan,) = read_scans(reader, session.work.loaded.protocol)
    return scan


@pytest.mark.parametrize("gap_s", [0.0, 0.25])
def test_what_is_over_is_left_out_and_the_rest_comes_in_time(tmp_path: Path, gap_s: float) -> None:
    scan = run(tmp_path / "one", gap_s)
    planned = scan.events[scan.events["kind"] == "image"]
    left_out = planned["trial"].isna().sum()
    assert left_out in (1, 2)
    assert f"{left_out} events left out that were over before the run's start was known" in scan.reason
    off_frames = (scan.shown["onset_s"] - scan.start_s - scan.shown["planned_s"]) / PERIOD_S
    # the one that was due just then came on for what was left of its time
    assert (off_frames.abs() > 1).sum() <= 1
    assert (scan.shown["status"] != "valid").sum() <= 1
    assert off_frames.iloc[1:].abs().max() <= 0.5 + 1e-6
    assert len(scan.shown) == len(planned) - left_out


def test_a_missed_frame_takes_no_time_from_the_images_that_follow(tmp_path: Path) -> None:
    scan = run(tmp_path / "one", 0.0, missed_frames=0.02)
    shown = scan.shown
    assert shown["missed"].sum() > 20
    off_frames = (shown["onset_s"] - scan.start_s - shown["planned_s"]) / PERIOD_S
    # an onset itself may be missed; that adds to nothing
    assert off_frames.iloc[1:].max() <= 2.5
    assert set(shown.loc[shown["missed"] == 0, "status"].iloc[1:]) <= {"valid", "late"}
    assert (shown["status"] == "late").sum() == 0
