"""A salvaged session goes on with what was saved; what its pictures stand on is made again or asked for."""

from __future__ import annotations

import shutil
from pathlib import Path

import numpy as np
import pytest
from cut_session import SHORT, HastyClock, abort, answer, content
from PIL import Image
from salvaged_session import lose, saved
from simulated_session import prepare, resume

from closedloop.errors import SessionChangedError, SessionDamagedError
from closedloop.session import SessionReader
from experiments.recorded import read_session


def whole(folder: Path, *overrides: str) -> Path:
    prepare(folder, *SHORT, *overrides, respond=answer, clock=HastyClock()).run()
    return folder


def go_on(folder: Path, *overrides: str, accept_changes: bool = False) -> None:
    resume(folder, *overrides, accept_changes=accept_changes, respond=answer, clock=HastyClock()).run()


@pytest.fixture(scope="module")
def uninterrupted(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return whole(tmp_path_factory.mktemp("whole") / "one")


def test_what_is_known_from_elsewhere_may_be_lost(
    aborted: Path, uninterrupted: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = saved(
        aborted,
        tmp_path / "saved",
        "UPDATE images SET pixels = x'00' WHERE kind = 'reference'",
        "DELETE FROM meta WHERE key IN ('session', 'protocol', 'kind', 'seed')",
        "DELETE FROM threads",
    )
    with SessionReader(folder) as reader:
        assert reader.pixels(0) is None
        assert "session" not in reader.meta()
    go_on(folder)
    assert content(folder) == content(uninterrupted)
    with SessionReader(folder) as reader:
        assert reader.meta()["session"] == "one"
        assert {marker["session"] for marker in reader.details("markers", "payload")} == {"one"}
    said = " ".join(capsys.readouterr().err.split())
    assert "reference image 0: was lost in a salvage, now rendered again from its code" in said
    assert "generator of thread evolution: was lost in a salvage" in said


def test_a_protocol_of_which_only_the_text_is_left_is_read_from_it(aborted: Path, tmp_path: Path) -> None:
    folder = saved(aborted, tmp_path / "saved", "DELETE FROM meta WHERE key = 'protocol_json'")
    assert read_session(folder).protocol == read_session(aborted).protocol


def test_what_can_not_be_known_is_said_to_be_lost(aborted: Path, tmp_path: Path) -> None:
    lost = {
        "protocol": "DELETE FROM meta WHERE key LIKE 'protocol%'",
        "image 0": "DELETE FROM images WHERE image = 0",
        "run": "DELETE FROM runs",
    }
    for number, (what, statement) in enumerate(lost.items()):
        folder = Path(shutil.copytree(aborted, tmp_path / str(number)))
        lose(folder, statement)
        with pytest.raises(SessionDamagedError, match=what):
            read_session(folder)


def test_a_reference_that_is_rendered_otherwise_is_refused_unless_accepted(
    aborted: Path, tmp_path: Path
) -> None:
    folder = saved(aborted, tmp_path / "saved", "UPDATE images SET sha256 = 'other' WHERE kind = 'reference'")
    with pytest.raises(SessionChangedError, match="with other bytes"):
        resume(folder)
    go_on(folder, accept_changes=True)


def test_a_lost_reference_from_a_file_is_read_again_if_the_file_is_the_same(tmp_path: Path) -> None:
    pictures = tmp_path / "pictures"
    pictures.mkdir()
    rng = np.random.default_rng(np.random.SeedSequence(5))
    for name in ("anna.png", "bert.png"):
        Image.fromarray(rng.integers(0, 255, (9, 9, 3), np.uint8)).save(pictures / name)
    of_files = f"references={{folder: '{pictures}', per_generation: 1}}"
    folder = saved(
        abort(tmp_path / "one", of_files),
        tmp_path / "saved",
        "UPDATE images SET pixels = x'00' WHERE source = 'bert.png'",
    )
    bert = (pictures / "bert.png").read_bytes()
    for change, told in (
        ((pictures / "bert.png").unlink, "can't be read"),
        (lambda: shutil.copy(pictures / "anna.png", pictures / "bert.png"), "another picture by now"),
    ):
        change()
        with pytest.raises(SessionDamagedError, match="image 1") as refused:
            resume(folder)
        assert told in refused.value.found
        assert "bert.png" in refused.value.found
        assert "Put the picture back" in refused.value.remedy
    (pictures / "bert.png").write_bytes(bert)
    go_on(folder)
    assert content(folder) == content(whole(tmp_path / "whole", of_files))
