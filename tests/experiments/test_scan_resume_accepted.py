"""After a change was accepted in the scanner the session goes on: only plans of one protocol are compared."""

from __future__ import annotations

import shutil
from collections.abc import Sequence
from pathlib import Path

import pytest
from salvaged_session import lose
from simulated_scan import SHORT, prepare_scan, resume_simulated

from closedloop.errors import SessionChangedError
from closedloop.loop.commands import CommandKind
from closedloop.scan.recorded import read_scans, scan_protocol_of
from closedloop.session import SessionReader
from experiments.replay_verify import verify_session

OTHER_DESIGN = "design.isi={draw: fixed, mean: 0.4}"
OTHERWISE = "UPDATE planned SET onset_s = onset_s + 0.1 WHERE event = 1 AND scan = {}"


@pytest.fixture(scope="module")
def session(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Run 1 was completed by one design, run 2 by another that was accepted; run 3 is left."""
    one = prepare_scan(tmp_path_factory.mktemp("accepted") / "one", *SHORT, "runs.count=3")
    one.at_console((0.5, CommandKind.END))
    assert one.run().exit_status == "stopped"
    changed = resume_simulated(one.folder, OTHER_DESIGN, accept_changes=True)
    changed.at_console((0.5, CommandKind.END))
    assert changed.run().exit_status == "stopped"
    return one.folder


@pytest.fixture
def folder(session: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(session, tmp_path / "one"))


def onsets(folder: Path, label: str) -> list[list[float]]:
    """Planned onsets of each attempt at a run."""
    with SessionReader(folder) as reader:
        scans = read_scans(reader, scan_protocol_of(reader))
    return [scan.events["planned_s"].tolist() for scan in scans if scan.label == label]


def heard(capsys: pytest.CaptureFixture[str]) -> str:
    return " ".join(capsys.readouterr().err.split())


@pytest.mark.parametrize(
    ("repeat", "made"), [((), ["3"]), (("1",), ["1", "3"]), (("2",), ["2", "3"])], ids=["none", "1", "2"]
)
def test_it_goes_on_without_being_asked_again(folder: Path, repeat: Sequence[str], made: list[str]) -> None:
    resumed = resume_simulated(folder, repeat=repeat)
    assert resumed.run().exit_status == "completed"
    assert resumed.armed == made
    assert verify_session(folder).first is None


def test_a_run_of_before_that_is_made_again_is_said_to_have_another_plan(
    folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    resume_simulated(folder)
    assert "plan of run" not in heard(capsys)
    resumed = resume_simulated(folder, repeat=["1", "2"])
    said = heard(capsys)
    assert (
        "note: plan of run 1: was another one, now as the protocol has it since a change that was accepted"
        in said
    )
    assert "plan of run 2" not in said
    resumed.run()
    before, after = onsets(folder, "1")
    assert before != after
    before, after = onsets(folder, "2")
    assert before == after


def test_a_plan_that_is_drawn_otherwise_of_the_protocol_that_holds_is_refused_still(folder: Path) -> None:
    lose(folder, OTHERWISE.format(1))
    with pytest.raises(SessionChangedError, match="run 2: was as planned, now drawn otherwise"):
        resume_simulated(folder)


def test_one_that_was_accepted_is_not_asked_for_again(folder: Path) -> None:
    lose(folder, OTHERWISE.format(1))
    changed = resume_simulated(folder, accept_changes=True, repeat=["1"])
    changed.at_console((0.5, CommandKind.END))
    changed.run()
    assert changed.armed == ["1"]
    resumed = resume_simulated(folder)
    assert resumed.run().exit_status == "completed"
    assert resumed.armed == ["3"]


def test_accepting_it_once_does_not_accept_it_of_what_was_made_since(folder: Path) -> None:
    lose(folder, OTHERWISE.format(1))
    changed = resume_simulated(folder, accept_changes=True, repeat=["2"])
    changed.at_console((0.5, CommandKind.END))
    changed.run()
    lose(folder, OTHERWISE.format(2))
    with pytest.raises(SessionChangedError, match="run 2: was as planned, now drawn otherwise"):
        resume_simulated(folder)
