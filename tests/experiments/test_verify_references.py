"""Reference pictures are held to their record, whatever has become of their folder."""

from __future__ import annotations

import shutil
import sqlite3
import zlib
from pathlib import Path

import numpy as np
import pytest
from cut_session import SHORT, HastyClock, answer
from PIL import Image
from simulated_session import prepare

from closedloop.replay.verification import Check, Verification
from closedloop.session import SessionReader
from experiments.replay_verify import compare_evolution


def picture(path: Path, level: int) -> None:
    Image.fromarray(np.full((8, 8, 3), level, dtype=np.uint8)).save(path)


@pytest.fixture(scope="module")
def recorded(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("references")
    (folder / "pictures").mkdir()
    for name, level in (("b.png", 60), ("c.png", 150)):
        picture(folder / "pictures" / name, level)
    references = f"references={{folder: {folder / 'pictures'}, per_generation: 2}}"
    prepare(
        folder / "session", *SHORT, "limits.generations=1", references, respond=answer, clock=HastyClock()
    ).run()
    return folder


@pytest.fixture
def session(recorded: Path, tmp_path: Path) -> Path:
    """Return a folder with the session and its pictures, the protocol's own among them."""
    folder = Path(shutil.copytree(recorded, tmp_path / "copy"))
    connection = sqlite3.connect(folder / "session" / "session.sqlite")
    with connection:
        for key in ("protocol", "protocol_json"):
            connection.execute(
                "UPDATE meta SET value = replace(value, ?, ?) WHERE key = ?",
                (str(recorded / "pictures"), str(folder / "pictures"), key),
            )
    connection.close()
    return folder


def change_first_reference(folder: Path) -> None:
    connection = sqlite3.connect(folder / "session" / "session.sqlite")
    with connection:
        select = "SELECT image, pixels FROM images WHERE kind = 'reference' ORDER BY image"
        image, packed = connection.execute(select).fetchone()
        pixels = bytearray(zlib.decompress(packed))
        pixels[5] ^= 0x80
        change = "UPDATE images SET pixels = ? WHERE image = ?"
        connection.execute(change, (zlib.compress(bytes(pixels)), image))
    connection.close()


def check(folder: Path) -> Verification:
    with SessionReader(folder / "session") as reader:
        return compare_evolution(reader)


@pytest.mark.parametrize("gone", [(), ("b.png",), ("b.png", "c.png")], ids=["none", "one", "all"])
def test_a_changed_reference_is_found_whatever_is_left_of_its_folder(
    session: Path, gone: tuple[str, ...]
) -> None:
    for name in gone:
        (session / "pictures" / name).unlink()
    found = check(session)
    assert [str(one) for one in found.differences] == []
    assert found.compared[Check.REFERENCES] == 2
    assert any("SHA-256" in note for note in found.notes) == bool(gone)
    change_first_reference(session)
    (difference,) = check(session).differences
    assert (difference.check, difference.what, difference.row) == (Check.REFERENCES, "image byte", 0)


def test_a_picture_that_came_into_the_folder_later_is_named_and_no_difference(session: Path) -> None:
    picture(session / "pictures" / "a.png", 10)  # before the others, by name
    found = check(session)
    assert [str(one) for one in found.differences] == []
    assert [note for note in found.notes if "a.png" in note]


def test_a_file_that_was_exchanged_is_a_difference(session: Path) -> None:
    picture(session / "pictures" / "c.png", 90)
    (difference,) = check(session).differences
    assert (difference.check, difference.row) == (Check.REFERENCES, 1)
