"""A session that was cut off before anything was recorded begins anew as what it was; one whose file is gone does not."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from cut_session import SHORT, HastyClock, acknowledged, answer, lines_of
from simulated_scan import PROTOCOL as SCAN
from simulated_session import PROTOCOL, prepare

from closedloop.errors import SessionDamagedError, SessionError
from closedloop.protocol.models import Protocol
from closedloop.session import database
from closedloop.session.database import FILE_NAME
from experiments import demo, resume, scan_resume
from experiments.cli import main
from experiments.demo import resume_demo

LOG = FILE_NAME + "-wal"
CUTS = range(20, 56, 4)  # before which SQL statement of a session; its first run is recorded by the 42nd
KILLER = """
import json, os, sys
from pathlib import Path
sys.path.insert(0, sys.argv[1])
from cut_session import SHORT, HastyClock, answer, die_before_statement
from simulated_session import prepare
from experiments.environment import environment
from experiments.recorded import read_session
from experiments.unbegun import control_of_unbegun, is_unbegun

environment()
for cut in range(*map(int, sys.argv[3:])):
    folder = Path(sys.argv[2]) / str(cut)
    child = os.fork()
    if child == 0:
        session = prepare(folder, *SHORT, respond=answer, clock=HastyClock(), control="shuffled")
        die_before_statement(cut)
        session.run()
        os._exit(0)
    assert os.WTERMSIG(os.waitpid(child, 0)[1]) == 9
    unbegun = is_unbegun(folder)
    if not unbegun:
        recorded = read_session(folder)
    control = control_of_unbegun(folder) if unbegun else recorded.control
    print(json.dumps([unbegun, unbegun or not recorded.display, control]), flush=True)
"""


@pytest.mark.skipif(not hasattr(os, "fork"), reason="this system has no fork")
def test_no_crash_at_the_start_makes_a_control_a_session_like_any_other(tmp_path: Path) -> None:
    found = lines_of(KILLER, tmp_path, CUTS.start, CUTS.stop, CUTS.step)
    # nothing recorded; recorded without what the stage said; with it
    assert {(unbegun, unseen) for unbegun, unseen, _ in found} == {
        (True, True),
        (False, True),
        (False, False),
    }
    assert {control for _, _, control in found} == {"shuffled"}


def cut_off(folder: Path, *, blank: bool, text: str = PROTOCOL) -> Path:
    """Make what is left of a session that was killed in set-up."""
    folder.mkdir()
    (folder / "protocol.yaml").write_text(text, encoding="utf-8")
    if blank:
        database.create(folder / FILE_NAME).close()
    return folder


class Rig:
    """Stands where the demo's rig and the session on it would be; says what they were asked for."""

    def __init__(self) -> None:
        self.protocol: Protocol | None = None
        self.session: Sequence[Any] = ()
        self.options: dict[str, Any] = {}

    @contextmanager
    def up(self, protocol: Protocol) -> Iterator[None]:
        self.protocol = protocol
        yield

    def perform(self, *arguments: Any, **options: Any) -> Path:
        self.session, self.options = arguments, options
        return Path(arguments[4]())


@pytest.fixture
def rig(monkeypatch: pytest.MonkeyPatch) -> Rig:
    rig = Rig()
    monkeypatch.setattr(demo, "_rig_of", rig.up)
    monkeypatch.setattr(resume, "perform", rig.perform)
    return rig


@pytest.mark.parametrize("blank", [True, False])
@pytest.mark.parametrize("control", ["shuffled", None])
def test_a_demo_that_was_killed_in_set_up_begins_anew(
    rig: Rig, tmp_path: Path, capsys: pytest.CaptureFixture[str], blank: bool, control: str | None
) -> None:
    folder = cut_off(tmp_path / "one", blank=blank)
    if control is not None:
        (folder / "control.txt").write_text(f"{control}\n", encoding="utf-8")
    assert main(["demo", "--resume", str(folder), "--set", "limits.generations=9"]) == 0
    assert rig.protocol is not None
    assert rig.protocol.limits.generations == 9
    loaded, _, session_id, _, folder_of = rig.session
    assert loaded.protocol == rig.protocol
    assert (session_id, folder_of()) == ("one", folder)
    assert rig.options["control"] == control
    assert rig.options["resume_by"] == "closedloop demo --resume"
    said = " ".join(capsys.readouterr().err.split())
    assert "the session begins anew" in said
    assert (f"with its control, as before: {control}" in said) is (control is not None)


def test_a_control_that_can_not_be_told_is_refused(rig: Rig, tmp_path: Path) -> None:
    folder = cut_off(tmp_path / "one", blank=True)
    (folder / "control.txt").write_bytes(b"\xff\x00")
    with pytest.raises(SessionDamagedError, match="start again"):
        resume_demo(folder)
    assert not rig.options


@pytest.mark.parametrize(
    ("left", "found"),
    [
        (None, "no such folder"),
        ((), "no session in it"),
        (("log.txt",), "cut off before anything was recorded"),
    ],
)
def test_where_there_is_nothing_to_begin_anew_with_this_is_said(
    rig: Rig, tmp_path: Path, left: Sequence[str] | None, found: str
) -> None:
    folder = tmp_path / "one"
    if left is not None:
        folder.mkdir()
        for name in left:
            (folder / name).touch()
    with pytest.raises(SessionError) as refused:
        resume_demo(folder)
    assert found in refused.value.found
    assert rig.protocol is None


@pytest.fixture(scope="module")
def running(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The log of a session that runs, and nothing else."""
    base = tmp_path_factory.mktemp("running")
    session = prepare(base / "one", *SHORT, respond=answer, clock=HastyClock())
    (base / "alone").mkdir()

    def keep_log() -> tuple[()]:
        shutil.copy(session.folder / LOG, base / "alone" / LOG)
        return ()

    session.operator.script = keep_log
    session.run()
    return base / "alone"


@pytest.fixture(params=["empty", "gone"])
def alone(request: pytest.FixtureRequest, running: Path, tmp_path: Path) -> Path:
    folder = Path(shutil.copytree(running, tmp_path / "alone"))
    if request.param == "empty":
        (folder / FILE_NAME).touch()
    return folder


def test_what_is_in_a_log_whose_file_is_gone_is_saved_by_the_command_that_is_named(
    alone: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    for command in (["info"], ["report"], ["export"], ["replay", "--verify"]):
        assert main([*command, str(alone)]) == 7
        said = "".join(capsys.readouterr().err.split())  # a long path is wrapped
        assert f"closedloopsalvage{alone}--to" in said
    assert main(["salvage", str(alone), "--to", str(tmp_path / "saved")]) == 0
    assert len(acknowledged(tmp_path / "saved")) > 5


@pytest.mark.parametrize("text", [PROTOCOL, SCAN])
def test_a_session_whose_records_are_in_its_log_never_begins_anew(
    alone: Path, rig: Rig, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], text: str
) -> None:
    monkeypatch.setattr(scan_resume, "perform", rig.perform)
    (alone / "protocol.yaml").write_text(text, encoding="utf-8")
    before = (alone / LOG).read_bytes()
    for command in (["resume"], ["run", "--resume"], ["demo", "--resume"]):
        assert main([*command, str(alone)]) == 7
        said = " ".join(capsys.readouterr().err.split())
        assert "closedloop salvage" in said
        assert "begins anew" not in said
    assert not rig.options
    assert rig.protocol is None
    assert (alone / LOG).read_bytes() == before
