"""Further runs of a session whose protocol names its runs one by one."""

from __future__ import annotations

import re
import shlex
import shutil
from pathlib import Path

import pytest
from simulated_scan import SHORT, prepare_scan, resume_simulated

from closedloop.errors import SessionChangedError
from closedloop.scan.recorded import read_scans, scan_protocol_of
from closedloop.session import SessionReader
from experiments.replay_verify import verify_session
from experiments.scan_resume import resume_scan

EACH = "runs={each: [{label: a}, {label: b, seed: 9, volumes: 5}]}"


@pytest.fixture(scope="module")
def session(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A finished session with two runs that are named one by one."""
    one = prepare_scan(tmp_path_factory.mktemp("appended") / "one", *SHORT, EACH)
    assert one.run().exit_status == "completed"
    return one.folder


@pytest.fixture
def folder(session: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(session, tmp_path / "one"))


def hinted(folder: Path, capsys: pytest.CaptureFixture[str]) -> str:
    """The setting that a finished session is said to take, as a shell reads it."""
    resume_scan(folder)
    text = " ".join(capsys.readouterr().err.split())
    found = re.search(r"More of them: (--set .*?\]'|--set \S+)", text)
    assert found is not None, text
    return shlex.split(found[1])[1]


def test_the_setting_that_is_told_of_adds_a_run(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    setting = hinted(folder, capsys)
    assert resume_simulated(folder, setting.replace("NEXT", "c")).run().exit_status == "completed"
    with SessionReader(folder) as reader:
        scans = read_scans(reader, scan_protocol_of(reader))
    assert [(scan.label, scan.volumes, scan.status) for scan in scans] == [
        ("a", 4, "completed"),
        ("b", 5, "completed"),
        ("c", 4, "completed"),
    ]
    assert verify_session(folder).first is None
    # and once more, now behind the three
    assert '"label": "c"}, {"label": "NEXT"}' in hinted(folder, capsys)


def test_a_session_with_a_count_is_told_of_the_count(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    one = prepare_scan(tmp_path / "one", *SHORT, "runs.count=1")
    one.run()
    assert hinted(one.folder, capsys) == "runs.count=NUMBER"


@pytest.mark.parametrize(
    "each",
    [
        "[{label: a}, {label: b, seed: 8, volumes: 5}, {label: c}]",
        "[{label: c}, {label: a}, {label: b, seed: 9, volumes: 5}]",
        "[{label: a}]",
    ],
)
def test_other_runs_in_place_of_those_there_were_are_another_experiment(folder: Path, each: str) -> None:
    with pytest.raises(SessionChangedError, match=r"runs\.each"):
        resume_simulated(folder, f"runs.each={each}")


def test_named_runs_may_follow_on_counted_ones_but_not_replace_them(tmp_path: Path) -> None:
    one = prepare_scan(tmp_path / "one", *SHORT, "runs.count=1")
    one.run()
    resume_simulated(one.folder, "runs={each: [{label: '1'}, {label: b, volumes: 5}]}")
    with pytest.raises(SessionChangedError, match=r"runs\.each"):
        resume_simulated(one.folder, "runs={each: [{label: b, volumes: 5}]}")
