"""A recorded session follows from its own record, and one changed number is found and named."""

from __future__ import annotations

import hashlib
import shutil
import sqlite3
import zlib
from pathlib import Path

import numpy as np
import pytest
from simulated_session import prepare

from closedloop.errors import SessionDamagedError, VerificationError
from closedloop.ports import Pixels
from closedloop.replay.verification import Check, Difference, Verification
from closedloop.session import SessionReader, codec
from experiments.cli import main
from experiments.replay_verify import compare_evolution, verify_session


def colours(trial: int, image: Pixels) -> np.ndarray:
    """Four units that like red, green, brightness and nothing."""
    return np.array([*(image.mean((0, 1)) / 2.55)[:2], image.mean() / 2.55, 5.0])


def check(folder: Path) -> Verification:
    with SessionReader(folder) as reader:
        return compare_evolution(reader)


@pytest.fixture(scope="module")
def session(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("verify") / "recorded"
    prepare(
        folder,
        "threads.0.units={combine: mean, units: [0, 2]}",
        "response.subtract_baseline=true",
        "response.normalise=subtract",
        "response.repeats=2",
        "response.expected_rate_hz=250",
        respond=colours,
        units=4,
        poisson=True,
        missed_frames=0.005,
    ).run()
    with SessionReader(folder) as reader:
        assert (reader.table("trials")["status"] == "invalid").sum() >= 3
    return folder


@pytest.fixture
def copy(session: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(session, tmp_path / "copy"))


def change(folder: Path, sql: str, *values: object) -> None:
    connection = sqlite3.connect(folder / "session.sqlite")
    with connection:
        assert connection.execute(sql, values).rowcount >= 1
    connection.close()


def one(folder: Path, sql: str, *values: object) -> sqlite3.Row:
    connection = sqlite3.connect(folder / "session.sqlite")
    connection.row_factory = sqlite3.Row
    row = connection.execute(sql, values).fetchone()
    connection.close()
    assert row is not None
    return row  # type: ignore[no-any-return]  # rows are untyped


def only(found: Verification) -> Difference:
    assert len(found.differences) == 1, [str(difference) for difference in found.differences]
    return found.differences[0]


def test_a_session_follows_from_its_record(session: Path) -> None:
    found = check(session)
    assert [str(difference) for difference in found.differences] == []
    assert found.image_rounding.count == found.rate_rounding.count == 0
    assert all(found.compared[part] > 0 for part in Check)
    assert found.compared[Check.CODES] == 36
    assert found.compared[Check.RESPONSES] == 3 * 2 * 14


@pytest.mark.parametrize("kind", ["spikes", "counts", "trials"])
def test_every_kind_of_stream_verifies(tmp_path: Path, kind: str) -> None:
    no_rate = [f"response.expected_rate_hz={'250' if kind == 'counts' else 'null'}"]
    no_baseline = ["response.baseline=null"] if kind == "trials" else []
    prepare(
        tmp_path / kind, f"response.kind={kind}", *no_rate, *no_baseline, "limits.generations=2", poisson=True
    ).run()
    assert check(tmp_path / kind).first is None


def test_two_interleaved_threads_verify(tmp_path: Path) -> None:
    spec = (
        "{{name: {}, generator: {{name: pixels, parameters: {{height_px: 4, width_px: 4}}}},"
        " optimizer: {{name: genetic, preset: in-vivo, parameters: {{population: {}, n_conserve: 3}}}},"
        " units: {{combine: one, units: [{}]}}}}"
    )
    twin = f"threads=[{spec.format('left', 12, 0)}, {spec.format('right', 10, 1)}]"
    prepare(
        tmp_path / "twin",
        twin,
        "limits.generations=2",
        "response.expected_rate_hz=250",
        respond=colours,
        units=4,
        missed_frames=0.01,
    ).run()
    assert check(tmp_path / "twin").first is None
    change(tmp_path / "twin", "UPDATE scores SET score = score + 1e-9 WHERE thread = 1 AND generation = 1")
    first = check(tmp_path / "twin").first
    assert first is not None
    assert (first.what, first.generation, first.thread) == ("score", 1, "right")


def test_a_session_that_was_aborted_verifies_as_far_as_it_went(session: Path, copy: Path) -> None:
    last = one(copy, "SELECT max(trial) AS trial FROM trials")["trial"]
    for trial in range(last - 5, last + 1):
        change(copy, "UPDATE trials SET status = 'interrupted', reason = NULL WHERE trial = ?", trial)
    change(copy, "DELETE FROM responses WHERE trial > ?", last - 6)
    change(copy, "DELETE FROM scores WHERE generation = 2")
    change(copy, "UPDATE generations SET ended_s = NULL WHERE generation = 2")
    assert check(copy).first is None


def test_a_changed_code_is_named(copy: Path) -> None:
    row = one(copy, "SELECT image, code FROM images WHERE generation = 2 AND row = 5")
    code = np.frombuffer(row["code"], "<f4").copy()
    code[7] = np.nextafter(code[7], np.float32(9))
    change(copy, "UPDATE images SET code = ? WHERE image = ?", code.tobytes(), row["image"])
    difference = only(check(copy))
    assert difference.what == "code"
    assert (difference.generation, difference.row, difference.image) == (2, 5, row["image"])
    assert "number 7" in difference.detail


def test_a_changed_score_is_named_and_is_one_difference(copy: Path) -> None:
    row = one(
        copy,
        "SELECT s.image, score, row FROM scores s JOIN images i USING (image) WHERE s.generation = 1 LIMIT 1 OFFSET 4",
    )
    change(
        copy,
        "UPDATE scores SET score = ? WHERE generation = 1 AND image = ?",
        float(np.nextafter(row["score"], 1e9)),
        row["image"],
    )
    difference = only(check(copy))
    assert (difference.what, difference.generation, difference.image) == ("score", 1, row["image"])
    assert difference.row == row["row"]


@pytest.mark.parametrize("by", [1, 90])
@pytest.mark.parametrize("hash_too", [False, True])
def test_a_changed_image_byte_is_named(copy: Path, by: int, hash_too: bool) -> None:
    row = one(copy, "SELECT * FROM images WHERE generation = 1 AND row = 3")
    pixels = np.frombuffer(zlib.decompress(row["pixels"]), np.uint8).copy()
    pixels[10] = (int(pixels[10]) + by) % 256 if pixels[10] < 128 else pixels[10] - by
    change(
        copy,
        "UPDATE images SET pixels = ?, sha256 = ? WHERE image = ?",
        zlib.compress(pixels.tobytes(), 1),
        hashlib.sha256(pixels.tobytes()).hexdigest() if hash_too else row["sha256"],
        row["image"],
    )
    found = check(copy)
    if hash_too and by == 1:  # what another device would have rendered and recorded
        assert found.first is None
        assert (found.image_rounding.count, found.image_rounding.largest) == (1, 1)
        return
    difference = only(found)
    assert (difference.what, difference.generation, difference.row) == ("image byte", 1, 3)
    assert f"up to {by} of 255" in difference.detail


def test_a_changed_sample_is_named_by_its_trial(copy: Path) -> None:
    trial = one(copy, "SELECT * FROM trials WHERE generation = 2 AND status = 'valid' LIMIT 1 OFFSET 3")
    at = trial["onset_s"] + 0.1
    chunk = one(
        copy, "SELECT rowid, * FROM chunks WHERE role = 'response' AND last_s >= ? ORDER BY sequence", at
    )
    values = codec.unpack(chunk["data"], chunk["dtype"], (chunk["samples"], chunk["channels"])).copy()
    values[-1, 2] += 1
    change(copy, "UPDATE chunks SET data = ? WHERE rowid = ?", codec.pack(values), chunk["rowid"])
    difference = only(check(copy))
    assert (difference.what, difference.generation, difference.trial) == ("rate", 2, trial["trial"])
    assert difference.detail.startswith("unit 2: recorded")


def test_a_changed_value_and_a_changed_rate_are_named(copy: Path) -> None:
    change(copy, "UPDATE responses SET value = value + 1e-6 WHERE trial = 9")
    other = one(copy, "SELECT trial, rates FROM responses WHERE trial > 30 LIMIT 1")
    rates = np.frombuffer(other["rates"]).copy()
    rates[3] += 1.0  # a unit that does not count: the value stays
    change(copy, "UPDATE responses SET rates = ? WHERE trial = ?", rates.tobytes(), other["trial"])
    found = check(copy)
    assert {(d.what, d.trial) for d in found.of(Check.RESPONSES)} == {("value", 9), ("rate", other["trial"])}


def test_missing_samples_are_named(copy: Path) -> None:
    trial = one(copy, "SELECT * FROM trials WHERE generation = 1 AND status = 'valid' LIMIT 1 OFFSET 6")
    change(
        copy,
        "DELETE FROM chunks WHERE role = 'response' AND first_s BETWEEN ? AND ?",
        trial["onset_s"] + 0.09,
        trial["onset_s"] + 0.11,
    )
    found = check(copy)
    first = found.first
    assert first is not None
    assert first.what == "missing samples"
    assert first.generation == 1
    assert trial["trial"] in {difference.trial for difference in found.of(Check.SAMPLES)}


def test_exchanged_trials_are_named(copy: Path) -> None:
    rows = [one(copy, "SELECT * FROM trials WHERE generation = 1 LIMIT 1 OFFSET ?", n) for n in (2, 9)]
    assert rows[0]["image"] != rows[1]["image"]
    for row, other in (rows, rows[::-1]):
        change(copy, "UPDATE trials SET image = ? WHERE trial = ?", other["image"], row["trial"])
    found = check(copy)
    order = [difference for difference in found.of(Check.TRIALS) if difference.what == "trial order"]
    assert (order[0].generation, order[0].trial) == (1, rows[0]["trial"])


def test_a_missing_trial_and_a_moved_flip_are_named(copy: Path) -> None:
    row = one(copy, "SELECT trial, flips FROM trials WHERE generation = 0 AND status = 'valid' LIMIT 1")
    flips = np.frombuffer(row["flips"], "<f8").copy()
    flips[4:] += 1 / 60
    change(copy, "UPDATE trials SET flips = ? WHERE trial = ?", flips.tobytes(), row["trial"])
    last = one(copy, "SELECT max(trial) AS trial FROM trials WHERE generation = 0")["trial"]
    change(copy, "DELETE FROM trials WHERE trial = ?", last)
    found = check(copy)
    named = {(difference.what, difference.trial) for difference in found.of(Check.TRIALS)}
    assert {("flips", row["trial"]), ("trial missing", None)} <= named


def test_a_damaged_chunk_is_one_clear_error(copy: Path) -> None:
    change(copy, "UPDATE chunks SET data = zeroblob(20) WHERE role = 'response' AND sequence = 300")
    with pytest.raises(SessionDamagedError, match="chunk 300"):
        check(copy)


def test_the_command_says_so_and_ends_with_11(copy: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["replay", str(copy), "--verify"]) == 0
    assert "All is equal" in capsys.readouterr().out
    change(
        copy,
        "UPDATE scores SET score = score + 1 WHERE generation = 2 AND image = (SELECT max(image) FROM scores WHERE generation = 2)",
    )
    assert main(["replay", str(copy), "--verify"]) == VerificationError.exit_code == 11
    said = capsys.readouterr()
    assert "Not equal. The first difference: generation 2" in said.out
    assert "what seed, protocol and recorded samples give" in " ".join(said.err.split())
    with pytest.raises(VerificationError, match="generation 2"):
        verify_session(copy)


def test_initial_codes_come_from_the_session_itself(tmp_path: Path) -> None:
    codes = tmp_path / "codes.npy"
    np.save(codes, np.random.default_rng(3).standard_normal((5, 48)).astype(np.float32))
    prepare(
        tmp_path / "s",
        f"threads.0.optimizer.initial_codes={codes}",
        "limits.generations=2",
        "response.expected_rate_hz=250",
    ).run()
    codes.unlink()
    assert check(tmp_path / "s").first is None


def test_references_whose_folder_is_gone_are_left_out_and_said(tmp_path: Path) -> None:
    from PIL import Image

    pictures = tmp_path / "pictures"
    pictures.mkdir()
    for name, level in (("a", 40), ("b", 200)):
        Image.new("RGB", (4, 4), (level, level, level)).save(pictures / f"{name}.png")
    prepare(
        tmp_path / "s",
        f"references={{folder: {pictures}, per_generation: 2}}",
        "limits.generations=1",
        "response.expected_rate_hz=250",
    ).run()
    assert check(tmp_path / "s").first is None
    Image.new("RGB", (4, 4), (99, 0, 0)).save(pictures / "b.png")
    first = check(tmp_path / "s").first
    assert first is not None
    assert first.check is Check.REFERENCES
    shutil.rmtree(pictures)
    found = check(tmp_path / "s")
    assert found.first is None
    assert any("not compared with their files" in note for note in found.notes)
