"""The session file's writer: what it takes comes back, whole or not at all."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from closedloop.errors import (
    SessionDamagedError,
    SessionError,
    SessionExistsError,
    SessionSchemaError,
)
from closedloop.ports import Chunk, ClockProbe, Marker, Shown, StreamInfo, StreamState, StreamStateChange
from closedloop.session import ImageRecord, ScoreRecord, SessionReader, SessionStore, TrialRecord

FLIPS = np.array([10.0, 10.1, 10.2, 10.3])
INFO = StreamInfo("response", "rates", "N", "R", "id", 1000.0, 2, "float32", ("a", "b"))


def new(folder: Path) -> SessionStore:
    return SessionStore.create(
        folder, meta={"session": "s", "seed": "3"}, environment={"python": "3"}, started_s=1.5
    )


def with_images(folder: Path) -> SessionStore:
    store = new(folder)
    store.add_thread(0, "evolution", {"name": "evolution"}, {"sha256": "ab"})
    store.begin_generation(0, 0, 2.0)
    store.add_images(
        [
            ImageRecord(1, "evolved", 0, 0, 0, np.arange(4, dtype=np.float32), (2, -1), "bred"),
            ImageRecord(2, "evolved", 0, 0, 1, np.ones(4, dtype=np.float32), None, "random"),
            ImageRecord(3, "reference", 0, None, 0, None, None, "file", "cat.png"),
        ]
    )
    return store


def ordered(store: SessionStore, trial: int = 7) -> None:
    store.order_trial(TrialRecord(trial, 0, 0, 1, 0, 0, 2, 1), 9.9)


def fail_after(write: Callable[[], None], message: str) -> None:
    write()
    raise RuntimeError(message)


def test_meta_run_thread_and_generation_come_back(tmp_path: Path) -> None:
    store = with_images(tmp_path)
    store.set_display({"size_px": (800, 600), "period_s": np.float64(0.0125), "cpu": np.array([1, 2])})
    store.set_timing(0, 0, {"total": 12.5})
    store.end_generation(0, 0, 30.0)
    store.close(ended_s=31.0, exit_status="completed", reason="done")
    with SessionReader(tmp_path) as reader:
        assert reader.meta() == {"session": "s", "seed": "3"}
        run = reader.table("runs").iloc[0]
        assert (run["run"], run["started_s"], run["ended_s"]) == (0, 1.5, 31.0)
        assert (run["exit_status"], run["reason"]) == ("completed", "done")
        assert reader.details("runs", "environment") == [{"python": "3"}]
        assert reader.details("runs", "display") == [
            {"size_px": [800, 600], "period_s": 0.0125, "cpu": [1, 2]}
        ]
        assert reader.details("threads", "generator") == [{"sha256": "ab"}]
        generation = reader.table("generations").iloc[0]
        assert (generation["started_s"], generation["ended_s"]) == (2.0, 30.0)
        assert reader.details("generations", "timing") == [{"total": 12.5}]


def test_images_come_back_with_code_genealogy_and_pixels(tmp_path: Path) -> None:
    store = with_images(tmp_path)
    pixels = np.random.default_rng(1).integers(0, 256, (5, 7, 3), dtype=np.uint8)
    store.set_pixels(1, pixels[:, ::-1])
    store.close(ended_s=3.0, exit_status="completed", reason="")
    with SessionReader(tmp_path / "session.sqlite") as reader:
        images = reader.table("images")
        assert images["parent_1"].tolist()[0] == 2
        assert images["parent_2"].isna().all()
        assert images["source"].tolist()[2] == "cat.png"
        assert reader.code(1) is not None
        assert reader.codes(0, 0).tolist() == [[0, 1, 2, 3], [1, 1, 1, 1]]
        assert reader.code(3) is None
        assert (reader.pixels(1) == pixels[:, ::-1]).all()
        assert reader.pixels(2) is None
        with pytest.raises(KeyError):
            reader.pixels(99)


def test_a_valid_trial_comes_back_with_flips_and_rates(tmp_path: Path) -> None:
    store = with_images(tmp_path)
    ordered(store)
    store.set_onset(7, 10.0)
    store.set_shown(Shown(7, FLIPS, 2, 0, complete=True))
    store.accept_trial(7, np.array([4.0, 5.0]), np.array([1.0, 2.0]), 3.5, 10.6)
    store.close(ended_s=11.0, exit_status="completed", reason="")
    with SessionReader(tmp_path) as reader:
        trial = reader.table("trials").iloc[0]
        assert trial[["onset_s", "offset_s", "on_flips", "missed"]].tolist() == [10.0, 10.2, 2, 0]
        assert (trial["status"], trial["judged_s"]) == ("valid", 10.6)
        assert reader.flips(7).tolist() == FLIPS.tolist()
        assert reader.rates(7).tolist() == [4.0, 5.0]
        assert reader.baseline(7) is not None
        assert reader.table("responses")["value"].tolist() == [3.5]


def test_an_invalid_trial_comes_back_with_its_reason_and_no_response(tmp_path: Path) -> None:
    store = with_images(tmp_path)
    ordered(store)
    store.set_shown(Shown(7, FLIPS[:1], 2, 0, complete=False))
    store.reject_trial(7, "window-closed", "the window was closed", 10.6)
    store.close(ended_s=11.0, exit_status="aborted", reason="")
    with SessionReader(tmp_path) as reader:
        trial = reader.table("trials").iloc[0]
        assert (trial["status"], trial["reason"]) == ("invalid", "window-closed")
        assert np.isnan(trial["offset_s"])
        assert reader.table("responses").empty
        with pytest.raises(KeyError):
            reader.rates(7)


def test_samples_come_back_in_order_corrected_and_by_time(tmp_path: Path) -> None:
    store = new(tmp_path)
    store.add_stream(INFO)
    for sequence in range(6):
        stamps = sequence + np.arange(4) / 4
        values = np.column_stack([4 * sequence + np.arange(4), np.full(4, np.nan)]).astype(np.float32)
        store.add_chunk(Chunk("response", sequence // 3, sequence, stamps, values, 100.0, 1e-4, 101.0), 102.0)
    store.add_chunk(
        Chunk("fixation", 0, 0, np.array([1.0]), np.array([[1]], dtype=np.int8), 0.0, 0.0, 1.0), 1.1
    )
    store.abandon()
    with SessionReader(tmp_path) as reader:
        everything = reader.samples("response")
        assert everything.values[:, 0].tolist() == list(range(24))
        assert np.isnan(everything.values[:, 1]).all()
        assert everything.values.dtype == np.float32
        assert everything.times_s.tolist() == (100 + np.arange(24) / 4).tolist()
        assert everything.segments.tolist() == [0] * 12 + [1] * 12
        part = reader.samples("response", 102.1, 103.0)
        assert part.values[:, 0].tolist() == list(range(8, 16))
        assert reader.samples("fixation").values.tolist() == [[1]]
        assert len(reader.samples("absent").times_s) == 0
        assert reader.details("streams", "info")[0]["channel_names"] == ["a", "b"]


def test_scores_probes_states_markers_and_events_come_back(tmp_path: Path) -> None:
    store = with_images(tmp_path)
    nan = float("nan")
    store.add_scores([ScoreRecord(0, 0, 1, 2, 5.0, 0.5, 4.0), ScoreRecord(0, 0, 2, 0, nan, nan, nan)])
    store.add_probe(ClockProbe("response", 1, 3.0, -0.25, 1e-5))
    store.add_stream_state(StreamStateChange("response", StreamState.LOST, 4.0, 0.5, "silent"))
    store.add_marker(Marker(5.0, {"event": "stimulus_on", "trial": np.int64(3)}))
    store.add_event("note", 6.0, text="größer ± 2")
    store.abandon()
    with SessionReader(tmp_path) as reader:
        scores = reader.table("scores")
        assert scores["mean"].tolist()[0] == 5.0
        assert scores[["mean", "sem", "score"]].iloc[1].isna().all()
        assert reader.table("clock_probes").iloc[0]["offset_s"] == -0.25
        assert reader.table("stream_states").iloc[0]["state"] == "lost"
        assert reader.details("markers", "payload") == [{"event": "stimulus_on", "trial": 3}]
        assert reader.details("events", "detail") == [{"text": "größer ± 2"}]


def test_tables_have_the_same_types_empty_or_full(tmp_path: Path) -> None:
    for name in ("empty", "full"):
        (tmp_path / name).mkdir()
    new(tmp_path / "empty").abandon()
    store = with_images(tmp_path / "full")
    ordered(store)
    store.abandon()
    with SessionReader(tmp_path / "empty") as empty, SessionReader(tmp_path / "full") as full:
        for name in ("trials", "images", "runs", "generations"):
            assert empty.table(name).dtypes.to_dict() == full.table(name).dtypes.to_dict()


def test_a_session_can_be_read_while_it_is_written(tmp_path: Path) -> None:
    store = with_images(tmp_path)
    with SessionReader(tmp_path) as reader:
        assert reader.table("trials").empty
        with store.transaction():
            ordered(store, 7)
            assert reader.table("trials").empty
        assert reader.table("trials")["trial"].tolist() == [7]
        with reader.snapshot():
            assert len(reader.table("trials")) == 1
            ordered(store, 8)
            assert len(reader.table("trials")) == 1
        assert len(reader.table("trials")) == 2
    store.close(ended_s=3.0, exit_status="completed", reason="")


def test_a_transaction_that_fails_leaves_nothing(tmp_path: Path) -> None:
    store = with_images(tmp_path)
    with pytest.raises(RuntimeError, match="half way"), store.transaction():
        fail_after(lambda: ordered(store, 7), "half way")
    ordered(store, 8)
    store.abandon()
    with SessionReader(tmp_path) as reader:
        assert reader.table("trials")["trial"].tolist() == [8]


def test_a_nested_transaction_is_part_of_the_outer_one(tmp_path: Path) -> None:
    store = with_images(tmp_path)

    def inner() -> None:
        with store.transaction():
            ordered(store, 7)
        store.add_scores([ScoreRecord(0, 0, 1, 1, 1.0, 1.0, 1.0)])

    with pytest.raises(RuntimeError, match="outer"), store.transaction():
        fail_after(inner, "outer")
    with store.transaction(), store.transaction():
        ordered(store, 8)
    store.abandon()
    with SessionReader(tmp_path) as reader:
        assert reader.table("trials")["trial"].tolist() == [8]
        assert reader.table("scores").empty


def test_half_of_a_batch_is_never_in_the_file(tmp_path: Path) -> None:
    store = with_images(tmp_path)
    record = ScoreRecord(0, 0, 1, 1, 1.0, 1.0, 1.0)
    with pytest.raises(SessionError):
        store.add_scores([record, replace(record, image=2), record])  # the third is there already
    store.abandon()
    with SessionReader(tmp_path) as reader:
        assert reader.table("scores").empty


def test_a_trial_and_its_response_are_acknowledged_together(tmp_path: Path) -> None:
    store = with_images(tmp_path)
    ordered(store)
    rates = np.array([1.0])
    with pytest.raises(SessionError):
        store.accept_trial(7, rates, None, float("nan"), 10.0)  # no value: no response
    store.abandon()
    with SessionReader(tmp_path) as reader:
        assert reader.table("trials")["status"].tolist() == ["ordered"]


def test_an_existing_session_is_never_written_over(tmp_path: Path) -> None:
    new(tmp_path).abandon()
    before = (tmp_path / "session.sqlite").read_bytes()
    with pytest.raises(SessionExistsError, match="never written over"):
        new(tmp_path)
    assert (tmp_path / "session.sqlite").read_bytes() == before


def test_reopening_adds_a_run_and_marks_what_was_cut_off(tmp_path: Path) -> None:
    store = with_images(tmp_path)
    for trial in (7, 8, 9):
        ordered(store, trial)
    store.set_shown(Shown(8, FLIPS, 2, 0, complete=True))
    store.set_shown(Shown(9, FLIPS, 2, 0, complete=True))
    store.accept_trial(9, np.array([1.0]), None, 1.0, 10.0)
    store.abandon()
    store = SessionStore.reopen(tmp_path, environment={"python": "4"}, started_s=50.0)
    assert store.run == 1
    ordered(store, 7)
    store.accept_trial(7, np.array([2.0]), None, 2.0, 60.0)
    store.close(ended_s=70.0, exit_status="completed", reason="")
    with SessionReader(tmp_path) as reader:
        trials = reader.table("trials").sort_values(["run", "trial"])
        assert trials["status"].tolist() == ["interrupted", "interrupted", "valid", "valid"]
        assert trials["run"].tolist() == [0, 0, 0, 1]
        assert reader.rates(7).tolist() == [2.0]
        assert reader.table("runs")["exit_status"].isna().tolist() == [True, False]


def test_a_reader_can_not_write(tmp_path: Path) -> None:
    new(tmp_path).abandon()
    with SessionReader(tmp_path) as reader, pytest.raises(SessionDamagedError, match="readonly"):
        reader._rows("DELETE FROM meta")


def test_a_folder_without_a_session_is_named(tmp_path: Path) -> None:
    with pytest.raises(SessionError, match="no such file"):
        SessionReader(tmp_path)
    with pytest.raises(SessionError, match="no such file"):
        SessionStore.reopen(tmp_path, environment={}, started_s=0.0)
    assert list(tmp_path.iterdir()) == []


def test_a_file_that_is_no_database_is_refused(tmp_path: Path) -> None:
    (tmp_path / "session.sqlite").write_bytes(b"not a database at all " * 500)
    with pytest.raises(SessionDamagedError, match="not a database"):
        SessionReader(tmp_path)


def test_an_empty_file_is_no_session(tmp_path: Path) -> None:
    (tmp_path / "session.sqlite").touch()
    with pytest.raises(SessionSchemaError, match="blank file"):
        SessionReader(tmp_path)


def test_a_foreign_database_is_refused(tmp_path: Path) -> None:
    with sqlite3.connect(tmp_path / "session.sqlite") as connection:
        connection.execute("CREATE TABLE t (x)")
    connection.close()
    with pytest.raises(SessionSchemaError, match="no session file"):
        SessionReader(tmp_path)


def test_another_schema_is_refused_with_both_numbers(tmp_path: Path) -> None:
    new(tmp_path).abandon()
    with sqlite3.connect(tmp_path / "session.sqlite") as connection:
        connection.execute("PRAGMA user_version = 99")
    connection.close()
    with pytest.raises(SessionSchemaError, match="found session schema 99; expected schema 1"):
        SessionReader(tmp_path)


def test_damage_inside_the_file_is_one_clear_error(tmp_path: Path) -> None:
    store = with_images(tmp_path)
    for trial in range(500):
        ordered(store, trial)
    store.close(ended_s=3.0, exit_status="completed", reason="")
    path = tmp_path / "session.sqlite"
    content = bytearray(path.read_bytes())
    content[8192:] = b"\x5a" * (len(content) - 8192)  # all but the first page
    path.write_bytes(content)
    with pytest.raises(SessionDamagedError, match="salvage"), SessionReader(tmp_path) as reader:
        reader.table("trials")


def test_damaged_samples_and_pixels_name_their_place(tmp_path: Path) -> None:
    store = with_images(tmp_path)
    store.set_pixels(1, np.zeros((2, 2, 3), dtype=np.uint8))
    store.add_chunk(Chunk("response", 0, 5, np.zeros(1), np.zeros((1, 1)), 0.0, 0.0, 0.0), 0.0)
    store.abandon()
    with sqlite3.connect(tmp_path / "session.sqlite") as connection:
        connection.execute("UPDATE chunks SET data = x'00'")
        connection.execute("UPDATE images SET pixels = x'00' WHERE image = 1")
    connection.close()
    with SessionReader(tmp_path) as reader:
        with pytest.raises(SessionDamagedError, match="chunk 5 of response, run 0"):
            reader.samples("response")
        with pytest.raises(SessionDamagedError, match="image 1"):
            reader.pixels(1)


def test_names_are_checked_before_they_reach_sql(tmp_path: Path) -> None:
    new(tmp_path).abandon()
    with SessionReader(tmp_path) as reader, pytest.raises(ValueError, match="no name"):
        reader.table("meta; DROP TABLE meta")
