"""Scan runs from arming to end, on the simulated rig."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from simulated_scan import prepare_scan

from closedloop.session import SessionReader

PERIOD_S = 1 / 60


def test_every_onset_is_on_the_frame_nearest_to_its_absolute_time(tmp_path: Path) -> None:
    session = prepare_scan(tmp_path / "one")
    assert session.run().exit_status == "completed"
    with SessionReader(session.folder) as reader:
        scans, planned, trials = (reader.table(name) for name in ("scans", "planned", "trials"))
        assert scans["status"].tolist() == ["completed", "completed"]
        assert scans["label"].tolist() == ["1", "2"]
        # onset 0 is the pulse after the dummy, by its own stamp
        np.testing.assert_allclose(scans["start_s"] - scans["first_pulse_s"], 1.0, atol=1e-9)
        shown = planned[planned["kind"] == "image"].merge(trials, on="trial", suffixes=("", "_shown"))
        shown = shown.merge(scans[["scan", "start_s"]], on="scan")
        assert len(shown) == (planned["kind"] == "image").sum() > 16
        assert set(shown["status"]) == {"valid"}
        off_s = shown["onset_s_shown"] - shown["start_s"] - shown["onset_s"]
        assert off_s.abs().max() <= PERIOD_S / 2 + 1e-6
        assert (shown["generation"] == shown["scan"]).all()
        pulses = reader.table("pulses")
        assert pulses.groupby("scan")["volume"].max().tolist() == [12, 12]
        assert set(pulses["verdict"]) == {"volume"}
    markers = [marker.payload["event"] for marker in session.markers.sent]
    assert markers.count("volume") == 26
    assert markers.count("scan_start") == 2
    assert markers.count("stimulus_on") == len(shown)
    assert (markers[0], markers[-1]) == ("session_start", "session_end")
