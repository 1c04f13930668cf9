"""After a power cut LSL's clock begins anew: every table, page and file keeps the runs apart and in order."""

from __future__ import annotations

import json
import re
import sqlite3
from datetime import datetime, timedelta, timezone
from pathlib import Path

import numpy as np
import pytest
from bids_validation import bids_errors
from cut_session import SHORT, HastyClock, answer
from simulated_session import prepare, resume

from closedloop.exports import export_bids, export_nwb
from closedloop.exports.bids import events
from closedloop.exports.generations import generations
from closedloop.loop.commands import Command, CommandKind
from closedloop.replay.recorded import read_recorded
from closedloop.replay.verification import verify
from closedloop.report.material import read_material
from closedloop.report.page import write_report
from closedloop.report.sampled import samples_around
from closedloop.report.sections import streams
from closedloop.scoring import Kind, ResponseRule, Window
from closedloop.session import SessionReader
from experiments.replay_verify import rebuild_threads

LAY_STILL_S = 600.0


@pytest.fixture(scope="module")
def session(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A session that lost its power in its second generation and went on ten minutes later."""
    first = prepare(tmp_path_factory.mktemp("restarted") / "one", *SHORT, respond=answer, clock=HastyClock())
    first.operator.script = lambda: (
        (Command(CommandKind.ABORT, 0.0, "window"),) if first.clock.now() > 1001.3 else ()
    )
    first.run()
    resume(first.folder, respond=answer, clock=HastyClock(start_s=999.7)).run()
    connection = sqlite3.connect(first.folder / "session.sqlite")
    began = datetime(2026, 11, 21, 10, 0, tzinfo=timezone.utc)
    with connection:
        for run in (0, 1):
            at = (began + timedelta(seconds=run * LAY_STILL_S)).isoformat()
            connection.execute("UPDATE runs SET started_utc = ? WHERE run = ?", (at, run))
    connection.close()
    return first.folder


def test_onsets_rise_from_the_start_of_the_session(session: Path) -> None:
    with SessionReader(session) as reader:
        table = events(reader)
        trials = reader.table("trials")
    shown = trials[trials["onset_s"].notna()]
    assert len(table) == len(shown)
    assert shown.loc[shown["run"] == 1, "onset_s"].min() < shown.loc[shown["run"] == 0, "onset_s"].max()
    assert table["onset"].min() >= 0
    assert table["run"].is_monotonic_increasing
    assert table["onset"].is_monotonic_increasing
    assert table.loc[table["run"] == 1, "onset"].min() == pytest.approx(LAY_STILL_S, abs=5)


def test_samples_of_another_run_at_the_same_time_of_the_clock_are_not_added(session: Path) -> None:
    rule = ResponseRule(Kind.RATES, Window(0.05, 0.1), 1, (0,), bin_s=1 / 1000)
    with SessionReader(session) as reader:
        trials = reader.table("trials")
        first = np.sort(
            trials.loc[(trials["run"] == 0) & (trials["status"] == "valid"), "onset_s"].to_numpy()
        )
        own = samples_around(reader, rule, first, Window(-0.05, 0.2), 0)
        both = samples_around(reader, rule, first, Window(-0.05, 0.2))
        assert own is not None
        assert both is not None
        assert len(np.unique(own[0])) == len(own[0])
        assert len(both[0]) > 1.5 * len(own[0])  # so the clocks do overlap here
        stamps = np.concatenate(list(reader.stamps("response", 0)))
        assert set(own[0]) <= set(stamps)


def test_the_report_counts_all_runs_on_one_time(session: Path) -> None:
    with SessionReader(session) as reader:
        material = read_material(reader)
        assert LAY_STILL_S < material.length_s < LAY_STILL_S + 10
        spans = streams.spans_by_role(material)["response"]
        assert [span for span in spans if span.start_s < 10]
        assert [span for span in spans if span.start_s >= LAY_STILL_S - 5]
        assert max(span.end_s - span.start_s for span in spans) < 10
        assert generations(reader)["duration_s"].min() > 0
        assert generations(reader)["duration_s"].max() > LAY_STILL_S - 10
        page = write_report(session).read_text(encoding="utf-8")
    words = re.sub(r"<[^>]+>", " ", page)
    assert re.search(r"10\Wmin", words)
    assert "Responses in time" in words


def test_it_verifies(session: Path) -> None:
    with SessionReader(session) as reader:
        recorded = read_recorded(reader)
        threads, _ = rebuild_threads(recorded)
        assert [str(one) for one in verify(recorded, threads).differences] == []


def test_the_bids_dataset_is_valid(session: Path, tmp_path: Path) -> None:
    written = export_bids(session, tmp_path / "bids")
    (table,) = (path for path in written if path.name.endswith("_events.tsv"))
    onsets = [float(line.split("\t")[0]) for line in table.read_text(encoding="utf-8").splitlines()[1:]]
    assert onsets == sorted(onsets)
    assert onsets[0] >= 0
    sidecar = json.loads(table.with_suffix(".json").read_text(encoding="utf-8"))
    assert "began anew before run 1" in sidecar["onset"]["Description"]
    assert bids_errors(tmp_path / "bids") == []


def test_the_nwb_file_is_valid_and_in_order(session: Path, tmp_path: Path) -> None:
    pynwb = pytest.importorskip("pynwb")
    path = export_nwb(session, tmp_path)
    with pynwb.NWBHDF5IO(str(path), "r") as io:
        assert not [str(error) for error in pynwb.validate(io=io)]
        file = io.read()
        onsets = file.trials["start_time"][:]
        assert (np.diff(onsets) > 0).all()
        assert onsets[0] >= 0
        series = file.acquisition["responses"]
        times = series.timestamps[:]
        assert (np.diff(times) >= 0).all()
        assert times[-1] > LAY_STILL_S
        assert len(series.data) == len(times)
