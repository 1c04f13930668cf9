"""Exports of whole, broken-off, empty and resumed sessions."""

from __future__ import annotations

import csv
import json
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from PIL import Image
from session_factory import SessionPlan, write_session

from closedloop.errors import DiskError, SessionError
from closedloop.exports import export_session
from closedloop.exports.files import write_whole
from closedloop.exports.frames import missed_frames
from closedloop.exports.tables import TABLES
from closedloop.session import SessionReader

TWIN = SessionPlan(threads=("left", "right"), invalid_share=0.3, samples=False)


@pytest.fixture(scope="module")
def session(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = write_session(tmp_path_factory.mktemp("export") / "Alfa_evolution_20261121-120000", TWIN)
    export_session(folder)
    return folder


def table(folder: Path, name: str) -> pd.DataFrame:
    return pd.read_parquet(folder / "tables" / f"{name}.parquet")


def test_every_trial_is_a_row_with_its_image_and_response(session: Path) -> None:
    trials = table(session, "trials")
    with SessionReader(session) as reader:
        recorded, responses = reader.table("trials"), reader.table("responses")
    assert len(trials) == len(recorded) > 80
    assert trials["valid"].sum() == len(responses)
    assert trials.loc[trials["valid"], "value"].tolist() == responses["value"].tolist()
    assert trials.loc[~trials["valid"], "value"].isna().all()
    assert trials.loc[~trials["valid"], "reason"].isin(["missed", "window"]).all()
    assert set(trials["thread_name"]) == {"left", "right"}
    assert set(trials["image_kind"]) == {"evolved", "reference"}


def test_every_flip_is_a_row(session: Path) -> None:
    frames, trials = table(session, "frames"), table(session, "trials")
    per_trial = frames.groupby("trial")
    assert (per_trial.size() == 13).all()
    assert (per_trial["image_on"].sum() == 6).all()
    assert per_trial["missed"].sum().tolist() == trials["missed"].tolist()
    assert frames["missed"].sum() > 0
    assert frames.loc[frames["index"] == 0, "interval_ms"].isna().all()
    first = frames[frames["index"] == 0].set_index("trial")["time_s"]
    assert first.tolist() == trials["onset_s"].tolist()


@pytest.mark.parametrize(
    ("steps_periods", "expected"),
    [([1.0, 1.0], [0, 0]), ([1.4, 0.9], [0, 0]), ([2.0, 3.0], [1, 2]), ([0.1, 1.6], [0, 1])],
)
def test_missed_frames_are_whole_periods_too_many(steps_periods: list[float], expected: list[int]) -> None:
    period_s = 1 / 60
    steps = np.concatenate([[np.nan], np.array(steps_periods) * period_s])
    assert missed_frames(steps, period_s).tolist() == [0, *expected]


def test_without_a_measured_period_missed_frames_are_unknown() -> None:
    assert np.isnan(missed_frames(np.array([0.016, 0.2]), float("nan"))).all()


def test_generations_hold_counts_means_best_image_and_dead_time(session: Path) -> None:
    generations, trials = table(session, "generations"), table(session, "trials")
    assert len(generations) == 2 * TWIN.generations
    row = generations[(generations["thread_name"] == "right") & (generations["generation"] == 2)].iloc[0]
    mine = trials[(trials["thread_name"] == "right") & (trials["generation"] == 2)]
    assert row["trials"] == len(mine)
    assert row["valid"] == mine["valid"].sum()
    assert row["invalid"] == (~mine["valid"]).sum()
    valid = mine[mine["valid"]]
    by_image = valid.groupby(["image_kind", "image"])["value"].mean().astype("float64")
    assert row["evolved_mean"] == pytest.approx(by_image["evolved"].mean())
    assert row["reference_mean"] == pytest.approx(by_image["reference"].mean())
    assert row["best_image"] == by_image["evolved"].idxmax()
    assert row["dead_total_ms"] > 0


def test_responses_have_a_row_for_each_trial_and_unit(session: Path) -> None:
    responses = table(session, "responses")
    with SessionReader(session) as reader:
        recorded = reader.table("responses")
        trial = int(recorded["trial"].iloc[5])
        rates, baseline = reader.rates(trial), reader.baseline(trial)
    assert len(responses) == TWIN.channels * len(recorded)
    mine = responses[responses["trial"] == trial]
    assert mine["unit"].tolist() == list(range(TWIN.channels))
    assert baseline is not None
    assert mine["rate_hz"].tolist() == rates.tolist()
    assert mine["baseline_hz"].tolist() == baseline.tolist()


def test_markers_keep_their_payload_and_show_its_main_parts(session: Path) -> None:
    markers, trials = table(session, "markers"), table(session, "trials")
    on = markers[markers["event"] == "stimulus_on"]
    assert on["trial"].tolist() == trials["trial"].tolist()
    assert on["time_s"].tolist() == trials["onset_s"].tolist()
    assert json.loads(markers["payload"].iloc[0])["event"] == markers["event"].iloc[0]
    assert pd.isna(markers["trial"].iloc[0])


def test_bids_events_are_the_shown_trials_in_seconds_from_the_start(session: Path) -> None:
    with (session / "events.tsv").open(encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file, delimiter="\t", quoting=csv.QUOTE_NONE))
    sidecar = json.loads((session / "events.json").read_text(encoding="utf-8"))
    trials = table(session, "trials")
    with SessionReader(session) as reader:
        start_s = float(reader.table("runs")["started_s"].iloc[0])
    assert len(rows) == len(trials)
    assert list(rows[0])[:2] == ["onset", "duration"]
    assert set(rows[0]) == set(sidecar) - {"StimulusPresentation"}
    onsets = np.array([float(row["onset"]) for row in rows])
    assert onsets == pytest.approx(trials["onset_s"].to_numpy(float) - start_s, abs=2e-6)
    assert (np.diff(onsets) > 0).all()
    assert {row["trial_type"] for row in rows} == set(sidecar["trial_type"]["Levels"])
    assert all(0.09 < float(row["duration"]) < 0.13 for row in rows)
    invalid = [row for row in rows if row["valid"] == "false"]
    assert invalid
    assert {row["value"] for row in invalid} == {"n/a"}
    assert {row["reason"] for row in rows if row["valid"] == "true"} == {"n/a"}
    assert "SoftwareVersion" in sidecar["StimulusPresentation"]
    files = {row["stim_file"] for row in rows} - {"n/a"}
    assert len(files) > 10
    assert all((session / name).is_file() for name in files)


def test_images_are_the_recorded_pixels(session: Path) -> None:
    generations = table(session, "generations")
    row = generations[(generations["thread_name"] == "left") & (generations["generation"] == 3)].iloc[0]
    with SessionReader(session) as reader:
        pixels = reader.pixels(int(row["best_image"]))
    shown = np.asarray(Image.open(session / "images" / "thread-left_generation-0003_best.png"))
    assert (shown == pixels).all()
    assert len(list((session / "images").glob("thread-right_final-*.png"))) == TWIN.images
    assert len(list((session / "images").glob("thread-left_reference-*.png"))) == TWIN.references
    assert Image.open(session / "images" / "thread-left_evolution.png").width > 4 * 96


@pytest.mark.parametrize(
    "plan",
    [
        SessionPlan(generations=0, exit_status="aborted"),
        SessionPlan(generations=0, exit_status=None, half_generation=True),
        SessionPlan(generations=1, references=0),
        SessionPlan(generations=3, exit_status=None, half_generation=True, kind="spikes"),
        SessionPlan(generations=2, invalid_share=1.0),
        SessionPlan(generations=4, resumed=True, trouble=True),
    ],
    ids=["no trial", "half a generation", "no reference", "crashed", "all invalid", "resumed"],
)
def test_any_session_can_be_exported_with_the_same_columns(
    tmp_path: Path, session: Path, plan: SessionPlan
) -> None:
    folder = write_session(tmp_path / "s", plan)
    written = export_session(folder, tmp_path / "elsewhere")
    assert {path.parent for path in written} <= {
        tmp_path / "elsewhere" / part for part in ("", "tables", "images")
    }
    assert sorted(path.name for path in folder.iterdir() if path.name != "session.lock") in (
        ["session.sqlite"],
        ["session.sqlite", "session.sqlite-shm", "session.sqlite-wal"],
    )
    for name in TABLES:
        ours, theirs = table(tmp_path / "elsewhere", name), table(session, name)
        shared = [column for column in theirs if not column.startswith("dead_")]
        assert ours[shared].dtypes.to_dict() == theirs[shared].dtypes.to_dict(), name
    header = (tmp_path / "elsewhere" / "events.tsv").read_text(encoding="utf-8").splitlines()[0]
    assert header.startswith("onset\tduration\t")


def test_trials_that_were_never_shown_are_no_events(tmp_path: Path) -> None:
    folder = write_session(tmp_path / "s", SessionPlan(resumed=True))
    export_session(folder, images=False)
    trials = table(folder, "trials")
    assert (trials["status"] == "interrupted").sum() == 1
    assert len((folder / "events.tsv").read_text(encoding="utf-8").splitlines()) == len(trials)
    assert not (folder / "images").exists()


def test_a_session_can_be_exported_while_it_runs(tmp_path: Path) -> None:
    folder = write_session(tmp_path / "s", SessionPlan(exit_status=None, half_generation=True))
    assert export_session(folder)
    assert table(folder, "generations")["ended_s"].isna().sum() == 1


def test_exporting_again_changes_only_its_own_files(session: Path) -> None:
    foreign = session / "images" / "mine.txt"
    foreign.write_text("keep", encoding="utf-8")
    before = (session / "tables" / "trials.parquet").read_bytes()
    written = export_session(session)
    assert (session / "tables" / "trials.parquet").read_bytes() == before
    assert foreign.read_text(encoding="utf-8") == "keep"
    left_over = [path for path in session.rglob("*") if path.name.startswith(".")]
    assert left_over == []
    assert len(written) == len(set(written))


def test_a_file_that_fails_half_way_leaves_the_old_one(tmp_path: Path) -> None:
    path = tmp_path / "a.txt"
    path.write_text("old", encoding="utf-8")

    def half(to: Path) -> None:
        to.write_text("ne", encoding="utf-8")
        raise OSError(28, "No space left on device")

    with pytest.raises(DiskError, match="No space left"):
        write_whole(path, half)
    assert [p.name for p in tmp_path.iterdir()] == ["a.txt"]
    assert path.read_text(encoding="utf-8") == "old"


def test_a_folder_without_a_session_is_one_clear_error(tmp_path: Path) -> None:
    with pytest.raises(SessionError, match="no such file"):
        export_session(tmp_path)
