"""What a scan session is compared with before it goes on: its plans, its pictures, its scanner, its display."""

from __future__ import annotations

import hashlib
import shutil
from pathlib import Path

import numpy as np
import pytest
from salvaged_session import lose
from simulated_scan import SHORT, prepare_scan, resume_simulated

from closedloop.errors import SessionChangedError
from closedloop.session import SessionReader, codec
from closedloop.session.database import FILE_NAME, open_writer
from experiments.scan_resume import resume_scan


@pytest.fixture(scope="module")
def session(tmp_path_factory: pytest.TempPathFactory) -> Path:
    one = prepare_scan(tmp_path_factory.mktemp("compared") / "one", *SHORT, "runs.count=1")
    one.run()
    return one.folder


@pytest.fixture
def folder(session: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(session, tmp_path / "one"))


def recolour(folder: Path, image: int, by: int) -> np.ndarray:
    """Let an image have been shown a little otherwise; return it."""
    with SessionReader(folder) as reader:
        shown = reader.pixels(image)
    assert shown is not None
    other = shown.copy()
    other[0, 0, 0] = other[0, 0, 0] - by if other[0, 0, 0] >= by else other[0, 0, 0] + by
    connection = open_writer(folder / FILE_NAME)
    connection.execute(
        "UPDATE images SET pixels = ?, sha256 = ? WHERE image = ?",
        (codec.pack(other), hashlib.sha256(other.tobytes()).hexdigest(), image),
    )
    connection.close()
    return other


@pytest.mark.parametrize("free", [(), ("notes=x",), ("scanner.wait_s=77", "runs.count=2")])
def test_plans_that_are_drawn_otherwise_are_refused_whatever_else_is_set(
    folder: Path, free: tuple[str, ...]
) -> None:
    lose(folder, "UPDATE planned SET onset_s = onset_s + 0.1 WHERE event = 1")
    with pytest.raises(SessionChangedError, match="run 1: was as planned, now drawn otherwise"):
        resume_simulated(folder, *free)


def test_a_picture_whose_last_bits_differ_is_told_of_and_shown_as_recorded(
    folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    recorded = recolour(folder, 0, by=1)
    resumed = resume_simulated(folder, "runs.count=2")
    assert "different by up to 1 of 255; it is shown as recorded" in " ".join(capsys.readouterr().err.split())
    first = next(iter(resumed.work.stimuli.values()))
    np.testing.assert_array_equal(first.pixels, recorded)
    assert resumed.run().exit_status == "completed"


def test_another_picture_is_refused_unless_it_is_accepted_and_then_shown_as_recorded(folder: Path) -> None:
    recorded = recolour(folder, 0, by=90)
    with pytest.raises(SessionChangedError, match="different by up to 90 of 255"):
        resume_simulated(folder)
    resumed = resume_simulated(folder, accept_changes=True)
    np.testing.assert_array_equal(next(iter(resumed.work.stimuli.values())).pixels, recorded)


def test_a_picture_that_a_salvage_lost_is_made_again(
    folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    lose(folder, "UPDATE images SET pixels = NULL WHERE image = 0")
    resume_simulated(folder)
    assert "lost in a salvage, now made again" in " ".join(capsys.readouterr().err.split())
    lose(folder, "UPDATE images SET sha256 = 'other' WHERE image = 0")
    with pytest.raises(SessionChangedError, match="made again, with other bytes"):
        resume_simulated(folder)


def test_other_names_stand_on_what_is_recorded_and_are_refused(folder: Path) -> None:
    lose(folder, "UPDATE images SET source = 'another' WHERE image = 0")
    with pytest.raises(SessionChangedError, match="This can't be changed within a session"):
        resume_simulated(folder, accept_changes=True)


def test_a_simulated_scanner_in_place_of_a_real_one_is_another_experiment(folder: Path) -> None:
    with pytest.raises(SessionChangedError, match=r"scanner\.simulate"):
        resume_simulated(folder, "runs.count=2", "scanner.simulate={}")
    assert resume_simulated(folder, "scanner.simulate={}", accept_changes=True)


def test_frames_that_are_paced_otherwise_are_another_experiment(folder: Path) -> None:
    lose(folder, """UPDATE runs SET display = json_set(display, '$.paced_by', 'vblank')""")
    with pytest.raises(SessionChangedError, match="frames paced by: was vblank, now clock"):
        resume_simulated(folder)


def test_a_session_that_is_over_and_could_not_say_so_is_closed_with_what_was_changed(folder: Path) -> None:
    lose(folder, "UPDATE runs SET exit_status = NULL, ended_s = NULL, ended_utc = NULL, reason = NULL")
    resume_scan(folder, overrides=("notes=looked at again",))
    with SessionReader(folder) as reader:
        assert reader.table("runs")["exit_status"].tolist()[-1] == "completed"
        (resumed,) = (
            detail
            for kind, detail in zip(
                reader.table("events")["kind"], reader.details("events", "detail"), strict=True
            )
            if kind == "resumed"
        )
        assert "protocol@run1" in reader.meta()
    assert any(text.startswith("notes") for text in resumed["changes"])
    assert not resumed["accepted"]
