"""A scan session on the real stage and trigger: virtual display, simulated scanner over LSL, real time."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from simulated_scan import PROTOCOL

from benchmarks.witness import Listener
from closedloop.scan.recorded import read_scans
from closedloop.session import SessionReader
from experiments.scanner import run_scan

CHANGES = (
    "display.size_px=[320, 240]",
    "display.refresh_hz=30",  # room for a machine whose host takes the processor away for tens of ms
    "scanner.tr_s=0.5",
    "scanner.volumes=10",
    "scanner.trigger={path: lsl, stream: {source_id: scan-test}, marker: volume}",
    "scanner.simulate={start_after_s: 0.5, answer_share: 1.0, answer_after_s: [0.3, 0.3]}",
    "runs.count=1",
    "design.image_s=0.2",
    "design.isi={draw: fixed, mean: 0.3}",
    "task={kind: one_back, share: 0.2, limit_s: 0.6}",
    "design.repeats=1",
    "output={report: false, tables: false, images: false, bids: false}",
)


@pytest.mark.display
@pytest.mark.lsl
@pytest.mark.end_to_end
@pytest.mark.timeout(120)
def test_a_real_run_is_locked_to_the_pulses(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("DISPLAY", raising=False)
    path = tmp_path / "scan.yaml"
    path.write_text(PROTOCOL, encoding="utf-8")
    listener = Listener()
    listener.start()
    folder = run_scan(path, out=tmp_path / "sessions", overrides=CHANGES)
    listener.ended.set()
    listener.join(5)
    with SessionReader(folder) as reader:
        (scan,) = read_scans(reader)
        period_s = reader.details("runs", "display")[-1]["period_s"]
        markers = [marker["event"] for marker in reader.details("markers", "payload")]
        events = reader.table("events")["kind"].tolist()
    assert [str(payload["event"]) for _, payload in listener.heard] == markers
    assert scan.status == "completed"
    assert scan.trigger["details"]["simulated"]
    assert "simulated_scanner" in events
    assert (scan.pulses["verdict"] == "volume").sum() == markers.count("volume") == 11
    assert np.diff(scan.pulses["time_s"]) == pytest.approx(0.5, abs=0.1)
    assert len(scan.shown) == len(scan.images) == 5
    # on a starved machine a trial may be late; then it is invalid, and says why
    off_frames = (scan.shown["onset_s"] - scan.start_s - scan.shown["planned_s"]) / period_s
    assert off_frames.min() > -1
    right = (off_frames.abs() <= 1) & (scan.shown["missed"] == 0)
    assert ((scan.shown["status"] == "valid") == right).all()
    assert right.any()
    assert scan.presses["event"].notna().sum() >= 1
