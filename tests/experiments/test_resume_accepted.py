"""What was accepted is logged with the change itself: a kill leaves both or neither, and the session goes on."""

from __future__ import annotations

import os
import shutil
from pathlib import Path

import pytest
from cut_session import SHORT, HastyClock, answer, lines_of
from simulated_session import prepare, resume

from closedloop.errors import SessionInUseError
from closedloop.session import SessionReader, database
from experiments import resume as resuming
from experiments.recorded import read_session

CUTS = (10, 28)  # before which SQL statement of the resume
KILLER = """
import json, os, shutil, sys
from pathlib import Path
sys.path.insert(0, sys.argv[1])
from cut_session import HastyClock, answer, die_before_statement
from simulated_session import resume
from closedloop.session import SessionReader
from experiments.environment import environment

environment()
folder, whole = Path(sys.argv[2]), (Path(sys.argv[2]) / "session.sqlite").read_bytes()
session = resume(folder, "response.repeats=2", accept_changes=True, respond=answer, clock=HastyClock())
for cut in range(*map(int, sys.argv[3:])):
    for path in folder.glob("session.sqlite*"):
        path.unlink()
    (folder / "session.sqlite").write_bytes(whole)
    child = os.fork()
    if child == 0:
        die_before_statement(cut)
        session.run()
        os._exit(0)
    assert os.WTERMSIG(os.waitpid(child, 0)[1]) == 9
    with SessionReader(folder) as reader:
        logged = [detail for detail in reader.details("events", "detail") if "accepted" in detail]
        print(json.dumps(["protocol@run1" in reader.meta(), len(logged)]), flush=True)
"""


@pytest.fixture(scope="module")
def one_generation(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("accepted") / "one"
    prepare(folder, *SHORT, "limits.generations=2", respond=answer, clock=HastyClock()).run()
    return folder


@pytest.mark.skipif(not hasattr(os, "fork"), reason="this system has no fork")
def test_a_kill_leaves_no_change_that_nobody_accepted(one_generation: Path, tmp_path: Path) -> None:
    folder = Path(shutil.copytree(one_generation, tmp_path / "one"))
    found = lines_of(KILLER, folder, *CUTS)
    assert set(found) == {(False, 0), (True, 1)}
    assert found == sorted(found)


def test_a_session_that_somebody_reads_is_refused_before_the_rig_is_opened(
    one_generation: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = Path(shutil.copytree(one_generation, tmp_path / "one"))
    monkeypatch.setattr(database, "WAIT_FOR_READERS_S", 0.2)
    monkeypatch.setattr(resuming, "perform", lambda *_, **__: pytest.fail("the rig was opened"))
    with SessionReader(folder) as reader, reader.snapshot():
        reader.table("meta")
        with pytest.raises(SessionInUseError, match="another program is reading it"):
            resuming.resume_session(folder, overrides=("limits.generations=4",))
        assert len(read_session(folder).history.complete) == 2
    resume(folder, "limits.generations=3", respond=answer, clock=HastyClock()).run()
