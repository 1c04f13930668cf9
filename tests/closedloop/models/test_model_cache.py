from __future__ import annotations

import hashlib
from pathlib import Path

import pytest

from closedloop.errors import HashMismatchError, ModelError
from closedloop.models import ModelStatus, find_model, path_of, resolve, status
from closedloop.models.cache import place_of, sha256_of

RIGHT = hashlib.sha256(b"weights").hexdigest()
WRONG = hashlib.sha256(b"other").hexdigest()


def test_a_model_that_is_not_there_says_how_to_fetch_it(models_dir: Path) -> None:
    assert status(find_model("dcgan-faces")) is ModelStatus.MISSING
    with pytest.raises(ModelError) as caught:
        path_of("dcgan-faces")
    assert caught.value.remedy == "closedloop models fetch dcgan-faces"


def test_a_damaged_file_is_named_with_both_hashes(models_dir: Path) -> None:
    entry = find_model("dcgan-faces")
    place_of(entry).write_bytes(b"other")
    assert status(entry) is ModelStatus.DAMAGED
    with pytest.raises(HashMismatchError) as caught:
        path_of("dcgan-faces")
    assert WRONG in caught.value.found
    assert entry.sha256 in caught.value.expected
    assert caught.value.remedy == "closedloop models fetch dcgan-faces"


def test_a_local_file_is_used_where_it_lies(models_dir: Path, register) -> None:
    register({"file": "own.pth"})
    assert status(find_model("mine")) is ModelStatus.MISSING
    (models_dir / "own.pth").write_bytes(b"weights")
    assert status(find_model("mine")) is ModelStatus.READY
    assert path_of("mine") == (models_dir / "own.pth").resolve()
    assert resolve("mine").sha256 == RIGHT


def test_a_protocol_may_name_a_file_with_its_hash(models_dir: Path, tmp_path: Path) -> None:
    (tmp_path / "own.pth").write_bytes(b"weights")
    found = resolve("own.pth", RIGHT.upper(), folder=tmp_path)
    assert (found.path, found.sha256) == ((tmp_path / "own.pth").resolve(), RIGHT)


def test_a_file_without_a_hash_is_refused_and_told_its_hash(models_dir: Path, tmp_path: Path) -> None:
    (tmp_path / "own.pth").write_bytes(b"weights")
    with pytest.raises(ModelError, match=f"sha256: {RIGHT}"):
        resolve("own.pth", folder=tmp_path)


def test_a_file_with_another_hash_is_refused(models_dir: Path, tmp_path: Path) -> None:
    (tmp_path / "own.pth").write_bytes(b"weights")
    with pytest.raises(HashMismatchError, match=WRONG):
        resolve("own.pth", WRONG, folder=tmp_path)


def test_a_registered_model_with_another_hash_asked_for_is_refused(models_dir: Path, register) -> None:
    (models_dir / "own.pth").write_bytes(b"weights")
    register({"file": "own.pth"})
    with pytest.raises(HashMismatchError, match=WRONG):
        resolve("mine", WRONG)


def test_what_is_neither_model_nor_file_is_told_the_nearest_model(models_dir: Path) -> None:
    with pytest.raises(ModelError, match="Did you mean 'dcgan-faces'"):
        resolve("dcgan_faces")


def test_a_folder_is_no_weight_file(tmp_path: Path) -> None:
    with pytest.raises(ModelError, match="can't be read"):
        sha256_of(tmp_path)
