"""A scan session is verified as far as what it was made of is still there, and the rest is named."""

from __future__ import annotations

import shutil
import sqlite3
import zlib
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from simulated_scan import prepare_scan

from closedloop.errors import VerificationError
from closedloop.replay.scan_verification import ScanCheck, ScanVerification
from closedloop.session import SessionReader
from experiments.scan_verify import verify_scan_session

CODES = "{name: squares, codes: 2, generator: {name: pixels, weights: null, parameters: {height_px: 4, width_px: 4}}}"
SHORT = (
    "runs.count=2",
    "scanner.volumes=6",
    "scanner.dummies=0",
    "design={kind: event_related, image_s: 0.2, lead_in: 0.3, isi: {draw: fixed, mean: 0.3}}",
    "task=null",
)


def picture(path: Path, level: int) -> None:
    Image.fromarray(np.full((6, 6, 3), level, dtype=np.uint8)).save(path)


@pytest.fixture(scope="module", params=["folder", "files"])
def recorded(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two pictures of a folder, or of a list, and two of codes; the folder that holds all."""
    folder = tmp_path_factory.mktemp("missing")
    (folder / "pictures").mkdir()
    files = [folder / "pictures" / name for name in ("b.png", "c.png")]
    for number, file in enumerate(files):
        picture(file, 60 + 90 * number)
    source = (
        f"folder: {folder / 'pictures'}"
        if request.param == "folder"
        else f"files: [{', '.join(map(str, files))}]"
    )
    conditions = f"stimuli.conditions=[{{name: pictures, {source}}}, {CODES}]"
    session = prepare_scan(folder / "session", *SHORT, conditions)
    assert session.run().exit_status == "completed"
    return folder


@pytest.fixture
def folder(recorded: Path, tmp_path: Path) -> Path:
    """Return a copy of it, and the protocol that names the copied pictures."""
    folder = Path(shutil.copytree(recorded, tmp_path / "copy"))
    change(
        folder,
        "UPDATE meta SET value = replace(value, ?, ?) WHERE key = 'protocol_json'",
        str(recorded / "pictures"),
        str(folder / "pictures"),
    )
    return folder


def change(folder: Path, sql: str, *values: object) -> None:
    connection = sqlite3.connect(folder / "session" / "session.sqlite")
    with connection:
        assert connection.execute(sql, values).rowcount >= 1
    connection.close()


def change_byte(folder: Path, name: str) -> None:
    connection = sqlite3.connect(folder / "session" / "session.sqlite")
    with connection:
        (packed,) = connection.execute("SELECT pixels FROM images WHERE source = ?", (name,)).fetchone()
        pixels = bytearray(zlib.decompress(packed))
        pixels[5] ^= 0x80
        connection.execute(
            "UPDATE images SET pixels = ? WHERE source = ?", (zlib.compress(bytes(pixels)), name)
        )
    connection.close()


def verify(folder: Path) -> ScanVerification:
    with SessionReader(folder / "session") as reader:
        return verify_scan_session(reader)


def all_compared(found: ScanVerification, folder: Path) -> None:
    with SessionReader(folder / "session") as reader:
        assert found.compared[ScanCheck.PLANS] == len(reader.table("planned")) > 0
    assert found.compared[ScanCheck.IMAGES] == 4
    assert found.compared[ScanCheck.CODES] == 2


@pytest.mark.parametrize("gone", [(), ("b.png",), ("b.png", "c.png")], ids=["none", "one", "all"])
def test_what_is_there_is_compared_and_what_is_not_is_named(folder: Path, gone: tuple[str, ...]) -> None:
    for name in gone:
        (folder / "pictures" / name).unlink()
    found = verify(folder)
    all_compared(found, folder)
    named = [note for note in found.notes if "SHA-256" in note]
    assert len(named) == bool(gone)
    assert all(f"pictures/{name}" in named[0] for name in gone)


@pytest.mark.parametrize(
    ("sql", "named"),
    [
        ("UPDATE images SET code = zeroblob(length(code)) WHERE image = 3", "image 3: found code"),
        ("UPDATE planned SET onset_s = onset_s + 0.001 WHERE scan = 1 AND event = 2", "event 2: found onset"),
        ("UPDATE images SET source = 'squares/code-0009' WHERE image = 2", "image 2: found name"),
    ],
)
def test_changes_are_found_though_the_folder_is_gone(folder: Path, sql: str, named: str) -> None:
    shutil.rmtree(folder / "pictures")
    change(folder, sql)
    with pytest.raises(VerificationError) as error:
        verify(folder)
    assert named in str(error.value)


def test_a_changed_byte_is_found_though_its_file_is_gone(folder: Path) -> None:
    (folder / "pictures" / "b.png").unlink()
    change_byte(folder, "pictures/b.png")
    with pytest.raises(VerificationError, match="image 0: found image byte"):
        verify(folder)


@pytest.mark.parametrize("name", ["a.png", "d.png"])  # before and after the others
def test_a_picture_that_came_into_the_folder_later_is_no_difference(folder: Path, name: str) -> None:
    picture(folder / "pictures" / name, 10)
    all_compared(verify(folder), folder)


def test_a_file_that_was_exchanged_is_a_difference(folder: Path) -> None:
    picture(folder / "pictures" / "c.png", 90)
    with pytest.raises(VerificationError, match="image 1: found image byte"):
        verify(folder)


@pytest.fixture
def tabled(tmp_path: Path) -> Path:
    """A session of a table, which names one picture that is there and one that is not, and of codes in a file."""
    folder = tmp_path / "tabled"
    folder.mkdir()
    picture(folder / "there.png", 60)
    (folder / "events.tsv").write_text(
        "onset\tduration\ttrial_type\tstim_file\n0.5\t0.2\tface\tthere.png\n1.5\t0.2\tface\tlater.png\n2.5\t0.2\tsquares\tn/a\n",
        encoding="utf-8",
    )
    np.save(folder / "codes.npy", np.random.default_rng(0).standard_normal((2, 48)).astype(np.float32))
    codes = CODES.replace("codes: 2", f"code_file: {folder / 'codes.npy'}")
    design = f"design={{kind: events, file: {folder / 'events.tsv'}, missing: placeholder}}"
    session = prepare_scan(
        folder / "session", *SHORT[:3], "task=null", design, f"stimuli.conditions=[{codes}]"
    )
    assert session.run().exit_status == "completed"
    return folder


def test_a_pattern_in_the_place_of_a_picture_stays_what_was_shown(tabled: Path) -> None:
    picture(tabled / "later.png", 200)
    found = verify(tabled)
    assert not [note for note in found.notes if "SHA-256" in note]
    change_byte(tabled, "later.png")
    with pytest.raises(VerificationError, match="image byte"):
        verify(tabled)


@pytest.mark.parametrize(
    ("lost", "named"),
    [
        ("there.png", ["SHA-256 only: there.png"]),
        ("codes.npy", ["codes of squares", "SHA-256 only: squares/code-000"]),
        ("events.tsv", ["Plans are not compared", "SHA-256 only: there.png, later.png"]),
    ],
)
def test_what_a_table_needs_may_be_gone(tabled: Path, lost: str, named: list[str]) -> None:
    (tabled / lost).unlink()
    found = verify(tabled)
    for words in named:
        assert [note for note in found.notes if words in note], found.notes
    with SessionReader(tabled / "session") as reader:
        compared = 0 if lost == "events.tsv" else len(reader.table("planned"))
        assert found.compared[ScanCheck.IMAGES] == len(reader.table("images"))
    assert found.compared[ScanCheck.PLANS] == compared
