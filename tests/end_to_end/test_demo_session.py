"""A demo from the command line to the report, judged by independent witnesses of the screen and of LSL."""

from __future__ import annotations

import json

import numpy as np
import pandas as pd
import pytest

from benchmarks.unit import likeness
from benchmarks.witness import Watched
from closedloop.session import SessionReader

TABLES = ("trials", "frames", "generations", "responses", "markers")
FRAME_MS = 1000 / 30


def test_the_session_folder_holds_everything(watched: Watched) -> None:
    assert watched.exit_code == 0
    folder = watched.folder
    for name in ("session.sqlite", "protocol.yaml", "events.tsv", "events.json", "log.txt", "report.html"):
        assert (folder / name).stat().st_size > 0, name
    with SessionReader(folder) as reader:
        shown = reader.table("trials").onset_s.notna().sum()
        generations = len(reader.table("generations"))
        assert reader.table("runs").exit_status.tolist() == ["completed"]
    tables = {name: pd.read_parquet(folder / "tables" / f"{name}.parquet") for name in TABLES}
    assert all(len(table) for table in tables.values())
    assert len(tables["trials"]) >= shown
    assert len(tables["generations"]) == generations
    events = pd.read_csv(folder / "events.tsv", sep="\t")
    assert events.trial_type.isin(["evolved", "reference"]).sum() == shown
    described = json.loads((folder / "events.json").read_text(encoding="utf-8"))
    assert set(events.columns) - {"onset", "duration"} <= set(described)
    images = [path.name for path in (folder / "images").glob("*.png")]
    assert sum("best" in name for name in images) == generations
    assert sum("final" in name for name in images) == 32
    report = (folder / "report.html").read_text(encoding="utf-8")
    assert "data:image/png;base64" in report
    assert "http://" not in report.split("<body", 1)[1]
    assert watched.folder.name in report


def test_logged_onsets_are_those_on_the_screen(watched: Watched) -> None:
    seen = watched.seen
    assert seen.sampled_hz > 500  # 2,500 asked for; a machine that is slow for seconds gives less
    assert seen.valid >= 3 * 20  # of 3 * 40; a machine that is robbed of its time has many trials invalid
    # each trial that came on was seen to, and nothing else
    assert seen.onsets_seen == seen.shown
    # a wrong frame would be off by 16.7 ms
    assert 1000 * np.median(seen.beyond_s) < 3
    assert 1000 * np.percentile(seen.beyond_s, 98) < FRAME_MS / 2


def test_each_valid_image_stood_for_the_planned_frames(watched: Watched) -> None:
    assert watched.seen.valid_with_missed_frame == 0
    # Without a vertical blank the flip at either end may be on the screen up to half a frame before its stamp; both
    # together are nearly a frame, very rarely. The share on a longer session: benchmarks/session_onsets.py.
    assert np.mean(watched.seen.as_planned) >= 0.98, watched.seen.frames_off[~watched.seen.as_planned]
    # and the witness could tell
    assert np.median(watched.seen.frames_doubt) < 0.3


def test_markers_heard_over_lsl_are_those_in_the_file(watched: Watched) -> None:
    with SessionReader(watched.folder) as reader:
        times_s = reader.table("markers").time_s.to_numpy()
        payloads = reader.details("markers", "payload")
        onsets_s = reader.table("trials").set_index("trial").onset_s
    assert [payload for _, payload in watched.markers] == payloads
    assert [time_s for time_s, _ in watched.markers] == pytest.approx(times_s, abs=1e-9)
    on = [(time_s, payload) for time_s, payload in watched.markers if payload["event"] == "stimulus_on"]
    assert [payload["trial"] for _, payload in on] == list(range(len(onsets_s)))
    assert [time_s for time_s, _ in on] == pytest.approx(onsets_s.tolist(), abs=1e-9)
    assert {"trial", "generation", "image", "thread", "session"} <= set(on[0][1])
    assert watched.markers[0][1]["event"] == "session_start"
    assert watched.markers[-1][1]["event"] == "session_end"


def test_each_answer_is_to_the_image_that_the_file_names(watched: Watched) -> None:
    alike, trials = likeness(watched.folder)
    assert trials == watched.seen.valid
    # a window of 75 ms holds a few spikes, whose noise makes half of what would else be 1
    assert alike > 0.25


def test_dead_time_is_told_by_its_parts(watched: Watched) -> None:
    with SessionReader(watched.folder) as reader:
        timing = reader.details("generations", "timing")[1:]
    assert len(timing) == 2
    for parts in timing:
        total = parts.pop("total")
        assert set(parts) == {"waiting", "scoring", "breeding", "rendering", "upload"}
        assert sum(parts.values()) == pytest.approx(total, abs=0.01)
    # XDream's exchange through files takes 650 ms; on a very busy machine ours must still be far below
    assert np.median([sum(parts.values()) for parts in timing]) < 325
