"""A BIDS folder that others put something into: images of the scanner, and what their converter knows."""

from __future__ import annotations

import gzip
import json
import os
import shutil
import sqlite3
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
from bids_validation import bids_errors
from scan_session_factory import ABORTED, Attempt, ScanPlan, write_scan_session
from simulated_scan import prepare_scan, resume_simulated

from closedloop.exports import export_bids
from closedloop.exports.stand_in import is_stand_in
from experiments.cli import main
from experiments.closing import write_outputs

SHORT = ("runs.count=1", "task=null", "scanner.volumes=6", "scanner.dummies=0", "design.repeats=1")
REAL = ScanPlan((Attempt(0),), changes={"scanner": {"tr_s": 1.0, "volumes": 40, "dummies": 2}})
DAY_S = 86400.0
CONVERTED = {"EchoTime": 0.03, "FlipAngle": 77, "RepetitionTime": 99.0}


def file(dataset: Path, run: str, suffix: str) -> Path:
    (found,) = (path for path in dataset.glob("sub-*/ses-*/func/*") if run_of(path) == f"{run}_{suffix}")
    return found


def names(dataset: Path, pattern: str = "*") -> set[str]:
    return {run_of(path) for path in dataset.glob(f"sub-*/ses-*/func/{pattern}")}


def run_of(path: Path) -> str:
    return "_".join(path.name.split("_")[3:])  # without subject, session and task


def told(path: Path) -> dict[str, Any]:
    content: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
    return content


def join(path: Path, more: Mapping[str, Any]) -> None:
    path.write_text(json.dumps({**told(path), **more}), encoding="utf-8")


def put_image(
    dataset: Path, run: str, content: bytes = b"what the scanner made", *, after_s: float = 0.0
) -> Path:
    """Put an image beside a run, written so long after now."""
    at = file(dataset, run, "events.tsv")
    image = at.with_name(at.name.replace("events.tsv", "bold.nii.gz"))
    image.write_bytes(content)
    os.utime(image, (time.time() + after_s,) * 2)
    return image


@pytest.fixture(scope="module")
def mixed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Run 1 of a real scanner, run 2 of a simulated one."""
    session = prepare_scan(tmp_path_factory.mktemp("mixed") / "one", *SHORT)
    assert session.run().exit_status == "completed"
    export_bids(session.folder)
    put_image(session.folder / "bids", "run-1")
    again = resume_simulated(session.folder, "runs.count=2", "scanner.simulate={}", accept_changes=True)
    assert again.run().exit_status == "completed"
    return session.folder


def test_a_stand_in_is_of_the_simulated_run_alone(mixed: Path, tmp_path: Path) -> None:
    export_bids(mixed, tmp_path)
    assert names(tmp_path, "*_bold*") == {"run-1_bold.json", "run-2_bold.json", "run-2_bold.nii.gz"}
    assert "StandIn" not in told(file(tmp_path, "run-1", "bold.json"))
    assert "StandIn" in told(file(tmp_path, "run-2", "bold.json"))
    simulated = [
        told(file(tmp_path, run, "events.json"))["ScanRun"]["ScannerSimulated"] for run in ("run-1", "run-2")
    ]
    assert simulated == [False, True]
    readme = (tmp_path / "README.md").read_text(encoding="utf-8")
    runs = [line for line in readme.splitlines() if line.startswith("- `sub-")]
    assert ["simulated" in line for line in runs] == [False, True]
    assert "Those of the other runs are not part of this folder" in readme


def test_an_image_of_the_scanner_is_never_written_over(mixed: Path) -> None:
    export_bids(mixed)
    assert file(mixed / "bids", "run-1", "bold.nii.gz").read_bytes() == b"what the scanner made"
    assert is_stand_in(file(mixed / "bids", "run-2", "bold.nii.gz"))


def test_nor_where_the_scanner_was_simulated(tmp_path: Path) -> None:
    session = write_scan_session(tmp_path / "s", ScanPlan((Attempt(0),)))
    export_bids(session)
    assert is_stand_in(file(session / "bids", "run-1", "bold.nii.gz"))
    image = put_image(session / "bids", "run-1")
    export_bids(session)
    assert image.read_bytes() == b"what the scanner made"
    assert "StandIn" not in told(file(session / "bids", "run-1", "bold.json"))


def test_a_stand_in_of_ours_beside_a_real_run_goes(tmp_path: Path) -> None:
    simulated = write_scan_session(tmp_path / "a" / "s", ScanPlan((Attempt(0),)))
    export_bids(simulated, tmp_path / "bids")
    stand_in = file(tmp_path / "bids", "run-1", "bold.nii.gz")
    session = write_scan_session(tmp_path / "b" / "s", REAL)
    export_bids(session)
    at = file(session / "bids", "run-1", "bold.json")
    shutil.copy(stand_in, at.with_name(at.name.replace(".json", ".nii.gz")))
    export_bids(session)
    assert names(session / "bids", "*.nii.gz") == set()


def test_what_was_joined_into_a_sidecar_stays_and_that_is_said(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    session = write_scan_session(tmp_path / "s", REAL)
    export_bids(session)
    sidecar = file(session / "bids", "run-1", "bold.json")
    ours = told(sidecar)
    join(sidecar, CONVERTED)
    assert main(["export", str(session), "--to", "bids"]) == 0
    assert told(sidecar) == {**ours, "EchoTime": 0.03, "FlipAngle": 77}
    said = " ".join(capsys.readouterr().err.split())
    assert "what was joined into *_bold.json was kept: run-1 (EchoTime, FlipAngle)" in said


def test_it_stays_when_the_session_goes_on(tmp_path: Path) -> None:
    session = prepare_scan(tmp_path / "one", *SHORT)
    session.run()
    output = session.work.loaded.protocol.output.model_copy(update={"report": False, "images": False})
    said: list[str] = []
    write_outputs(session.folder, output, said.append)
    assert said == []
    join(file(session.folder / "bids", "run-1", "bold.json"), CONVERTED)
    resume_simulated(session.folder, "runs.count=2").run()
    write_outputs(session.folder, output, said.append)
    assert told(file(session.folder / "bids", "run-1", "bold.json"))["EchoTime"] == 0.03
    assert "EchoTime" not in told(file(session.folder / "bids", "run-2", "bold.json"))
    assert len(said) == 1


def test_a_sidecar_that_cannot_be_read_is_left_as_it_is(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    session = write_scan_session(tmp_path / "s", REAL)
    export_bids(session)
    sidecar = file(session / "bids", "run-1", "bold.json")
    sidecar.write_text('{"EchoTime": 0.03,', encoding="utf-8")
    assert main(["export", str(session), "--to", "bids"]) == 0
    assert sidecar.read_text(encoding="utf-8") == '{"EchoTime": 0.03,'
    assert "left as it is" in capsys.readouterr().err


def test_files_of_a_run_that_was_exported_while_it_ran_give_way_to_those_of_the_whole_run(
    tmp_path: Path,
) -> None:
    running = ScanPlan((Attempt(0), Attempt(1, status=None, end_s=12.0)), exit_status=None)
    to = tmp_path / "bids"
    export_bids(write_scan_session(tmp_path / "a" / "s", running), to)
    assert {"acq-aborted1_run-2_bold.json", "acq-aborted1_run-2_bold.nii.gz"} <= names(to)
    join(file(to, "acq-aborted1_run-2", "bold.json"), CONVERTED)
    stems_match(tmp_path / "a" / "s", write_scan_session(tmp_path / "b" / "s", ScanPlan()))
    said: list[str] = []
    export_bids(tmp_path / "b" / "s", to, say=said.append)
    assert not names(to, "*acq-*")
    assert told(file(to, "run-2", "bold.json"))["EchoTime"] == 0.03
    assert any("acq-aborted1_run-2" in line and "removed" in line for line in said)


def test_what_was_joined_follows_an_attempt_that_another_one_superseded(tmp_path: Path) -> None:
    to = tmp_path / "bids"
    once = write_scan_session(tmp_path / "a" / "s", REAL)
    export_bids(once, to)
    join(file(to, "run-1", "bold.json"), CONVERTED)
    image = put_image(to, "run-1")
    twice = ScanPlan((Attempt(0), Attempt(0)), changes=REAL.changes)
    stems_match(once, write_scan_session(tmp_path / "b" / "s", twice))
    said: list[str] = []
    export_bids(tmp_path / "b" / "s", to, say=said.append)
    assert told(file(to, "acq-superseded1_run-1", "bold.json"))["EchoTime"] == 0.03
    assert "EchoTime" not in told(file(to, "run-1", "bold.json"))
    assert image.read_bytes() == b"what the scanner made"
    assert any("is named" in line and "acq-superseded1_run-1" in line for line in said)


@pytest.fixture
def repeated(tmp_path: Path) -> Path:
    """A session that was exported into ``bids`` beside it before its run was repeated, and not since."""
    plan = ScanPlan((Attempt(0),))
    once = write_scan_session(tmp_path / "once" / "s", plan)
    export_bids(once, tmp_path / "bids")
    return more_attempts(once, 2)


def more_attempts(session: Path, attempts: int) -> Path:
    more = session.parent.parent / str(attempts) / "s"
    stems_match(session, write_scan_session(more, ScanPlan((Attempt(0),) * attempts)))
    return more


def exported(session: Path) -> list[str]:
    """Export a session, and return what was said of images."""
    said: list[str] = []
    export_bids(session, session.parent.parent / "bids", say=said.append)
    return [line for line in said if "rename it" in line]


def readme_of(dataset: Path) -> str:
    return (dataset / "README.md").read_text(encoding="utf-8")


def test_the_image_of_an_earlier_attempt_is_told_of_until_it_is_renamed(
    repeated: Path, tmp_path: Path
) -> None:
    image = put_image(tmp_path / "bids", "run-1", after_s=-DAY_S)
    superseded = image.name.replace("run-1_", "acq-superseded1_run-1_")
    line = f"{image} is an image of what is named {superseded.removesuffix('_bold.nii.gz')} now: rename it"
    assert [exported(repeated) for _ in range(3)] == [[line]] * 3
    assert f"`{image.name}` was an image of" in readme_of(tmp_path / "bids")
    # a copy of the dataset has other times
    os.utime(image)
    assert exported(repeated) == [line]
    image.rename(image.with_name(superseded))
    assert exported(repeated) == []
    assert "was an image of" not in readme_of(tmp_path / "bids")
    # the next one has the name that the first one had
    put_image(tmp_path / "bids", "run-1", b"what it made then")
    assert exported(repeated) == []


def test_it_is_told_of_until_another_one_takes_its_place(repeated: Path, tmp_path: Path) -> None:
    old, new = b"what the scanner made", b"what it made at last"
    put_image(tmp_path / "bids", "run-1", old, after_s=-DAY_S)
    assert len(exported(repeated)) == 1
    put_image(tmp_path / "bids", "run-1", new.ljust(len(old)), after_s=-DAY_S)
    assert exported(repeated) == []


def test_it_stays_that_attempts_when_a_further_one_counts(repeated: Path, tmp_path: Path) -> None:
    put_image(tmp_path / "bids", "run-1", after_s=-DAY_S)
    exported(repeated)
    thrice = more_attempts(repeated, 3)
    for _ in range(2):
        (line,) = exported(thrice)
        assert "acq-superseded1_run-1 now" in line
    noted = [
        "ImagesUnderOtherNames" in told(file(tmp_path / "bids", run, "events.json"))["ScanRun"]
        for run in ("run-1", "acq-superseded1_run-1", "acq-superseded2_run-1")
    ]
    assert noted == [False, True, False]


def test_an_image_that_may_be_of_the_new_attempt_is_not_called_the_old_ones(
    repeated: Path, tmp_path: Path
) -> None:
    put_image(tmp_path / "bids", "run-1", after_s=DAY_S)
    (line,) = exported(repeated)
    assert "may be an image of what is named" in line
    assert "was an image of" not in readme_of(tmp_path / "bids")
    assert exported(repeated) == []


def test_an_image_of_a_name_that_is_used_no_more_is_told_of_each_time(tmp_path: Path) -> None:
    running = ScanPlan((Attempt(0), Attempt(1, status=None, end_s=12.0)), exit_status=None)
    export_bids(write_scan_session(tmp_path / "a" / "s", running), tmp_path / "bids")
    put_image(tmp_path / "bids", "acq-aborted1_run-2", after_s=DAY_S)
    stems_match(tmp_path / "a" / "s", write_scan_session(tmp_path / "b" / "s", ScanPlan()))
    for _ in range(3):
        (line,) = exported(tmp_path / "b" / "s")
        assert "run-2 now: rename it" in line


def test_the_validator_finds_no_error_in_what_is_noted_of_images(repeated: Path, tmp_path: Path) -> None:
    stand_in = gzip.decompress(file(tmp_path / "bids", "run-1", "bold.nii.gz").read_bytes())
    real = gzip.compress(stand_in.replace(b"stand-in without data", b"by a scanner".ljust(21)))
    put_image(tmp_path / "bids", "run-1", real, after_s=-DAY_S)
    assert len(exported(repeated)) == 1
    assert bids_errors(tmp_path / "bids") == []


def test_files_that_are_not_surely_of_the_session_stay(tmp_path: Path) -> None:
    session = write_scan_session(tmp_path / "s", ABORTED)
    export_bids(session)
    cut = file(session / "bids", "acq-aborted1_run-2", "events.json")
    stranger = cut.with_name(cut.name.replace("aborted1", "other"))
    content = told(cut)
    content["ScanRun"]["Session"] = "another"
    stranger.write_text(json.dumps(content), encoding="utf-8")
    export_bids(session)
    assert stranger.exists()


def stems_match(one: Path, other: Path) -> None:
    """Let the second session have begun when the first one did."""
    with (
        sqlite3.connect(one / "session.sqlite") as first,
        sqlite3.connect(other / "session.sqlite") as second,
    ):
        (began,) = first.execute("SELECT started_utc FROM runs WHERE run = 0").fetchone()
        second.execute("UPDATE runs SET started_utc = ? WHERE run = 0", (began,))
