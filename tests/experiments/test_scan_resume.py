"""A scan session that was cut off says so, loses nothing, and goes on with the same plan."""

from __future__ import annotations

import os
import sqlite3
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from cut_session import die_before_statement
from salvaged_session import lose, saved
from simulated_scan import SHORT, prepare_scan, resume_simulated

from closedloop.errors import SessionChangedError, SessionDamagedError
from closedloop.scan.past import CUT_OFF
from closedloop.session import SessionReader
from experiments.environment import environment
from experiments.scan_resume import read_scan_session
from experiments.way_on import session_kind

forks = pytest.mark.skipif(not hasattr(os, "fork"), reason="this system can't fork")


def plans(folder: Path) -> dict[str, list[tuple[Any, ...]]]:
    """What each attempt of each run was to show, by label; all attempts of a label are the same."""
    with SessionReader(folder) as reader:
        planned = reader.table("planned").merge(reader.table("scans")[["scan", "label"]], on="scan")
    columns = ["event", "onset_s", "duration_s", "kind", "trial_type", "image", "fields"]
    found: dict[str, list[tuple[Any, ...]]] = {}
    for (label, _), own in planned.groupby(["label", "scan"]):
        rows = [tuple(map(repr, row)) for row in own.sort_values("event")[columns].to_numpy().tolist()]
        assert found.setdefault(str(label), rows) == rows
    return found


def acknowledged(folder: Path) -> dict[str, list[tuple[Any, ...]]]:
    """All that was recorded of pulses and judged trials."""
    path = folder / "session.sqlite"
    if not path.exists():
        return {}
    connection = sqlite3.connect(f"file:{path}?mode=ro", uri=True)
    try:
        return {
            "pulses": connection.execute("SELECT * FROM pulses ORDER BY scan, pulse").fetchall(),
            "trials": connection.execute(
                "SELECT trial, run, status, onset_s FROM trials WHERE status IN ('valid', 'invalid')"
            ).fetchall(),
        }
    except sqlite3.OperationalError:
        return {}  # killed before its tables were there
    finally:
        connection.close()


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> Path:
    session = prepare_scan(tmp_path_factory.mktemp("whole") / "one", *SHORT)
    assert session.run().exit_status == "completed"
    return session.folder


def killed(folder: Path, statement: int) -> None:
    """Run a session in a process of its own, which kills itself before a statement."""
    child = os.fork()
    if not child:
        session = prepare_scan(folder, *SHORT)
        die_before_statement(statement)
        session.run()
        os._exit(0)
    os.waitpid(child, 0)


@forks
def test_a_session_killed_before_any_statement_goes_on(whole: Path, tmp_path: Path) -> None:
    rng = np.random.default_rng(np.random.SeedSequence(7))
    environment()  # so that its imports are there before the forks
    how_far = set()
    # one in each sixth of the session's statements, so that the start is among them and the last run
    for statement in (rng.integers(38, size=6) + 38 * np.arange(6)).tolist():
        folder = tmp_path / f"s{statement}"
        killed(folder, statement)
        before = acknowledged(folder)
        session = resume_simulated(folder)
        assert session.run().exit_status == "completed"
        after = acknowledged(folder)
        for name, rows in before.items():
            assert after[name][: len(rows)] == rows, (statement, name)
        assert plans(folder) == plans(whole)
        with SessionReader(folder) as reader:
            scans = reader.table("scans")
            assert sorted(scans.loc[scans["status"] == "completed", "label"]) == ["1", "2"]
            cut_off = scans[scans["status"] == "failed"]
            assert set(cut_off["reason"]) <= {CUT_OFF}
            assert cut_off["ended_s"].notna().all()
            assert reader.table("trials")["trial"].is_unique
            assert set(reader.table("trials")["status"]) <= {"valid", "interrupted"}
            how_far.add((len(scans), len(before.get("trials", ()))))
    assert len(how_far) > 3


def test_a_session_that_was_completed_takes_a_further_run(whole: Path, tmp_path: Path) -> None:
    first = prepare_scan(tmp_path / "one", *SHORT, "runs.count=1")
    assert first.run().exit_status == "completed"
    assert resume_simulated(first.folder, "runs.count=2").run().exit_status == "completed"
    assert plans(first.folder) == plans(whole)


def test_another_design_is_refused_unless_it_is_accepted(tmp_path: Path) -> None:
    first = prepare_scan(tmp_path / "one", *SHORT, "runs.count=1")
    first.run()
    with pytest.raises(SessionChangedError, match="lead_in"):
        resume_simulated(first.folder, "design.lead_in=0.4")
    with pytest.raises(SessionChangedError, match="stimuli"):
        resume_simulated(first.folder, "stimuli.size_deg=5", accept_changes=True)
    accepted = resume_simulated(first.folder, "design.lead_in=0.4", "runs.count=2", accept_changes=True)
    assert accepted.run().exit_status == "completed"
    with SessionReader(first.folder) as reader:
        assert "design.lead_in: was 0.3, now 0.4" in str(reader.details("events", "detail"))
        assert reader.meta()["protocol_json@run1"]
        resumed = [
            detail
            for kind, detail in zip(
                reader.table("events")["kind"], reader.details("events", "detail"), strict=True
            )
            if kind == "resumed"
        ]
    assert [one["accepted"] for one in resumed] == [True]


def test_a_salvaged_session_goes_on_though_its_name_and_kind_are_lost(tmp_path: Path) -> None:
    first = prepare_scan(tmp_path / "one", *SHORT, "runs.count=1")
    first.run()
    folder = saved(
        first.folder,
        tmp_path / "saved",
        "DELETE FROM meta WHERE key IN ('session', 'kind', 'protocol', 'seed')",
    )
    assert session_kind(folder) == "scan"
    assert resume_simulated(folder, "runs.count=2").run().exit_status == "completed"
    with SessionReader(folder) as reader:
        assert {key: reader.meta()[key] for key in ("session", "kind")} == {"session": "one", "kind": "scan"}
        assert {marker["session"] for marker in reader.details("markers", "payload")} == {"one"}
        assert reader.table("scans")["status"].tolist() == ["completed", "completed"]


@pytest.mark.parametrize(
    ("what", "statement"),
    [("protocol", "DELETE FROM meta WHERE key LIKE 'protocol%'"), ("run", "DELETE FROM runs")],
)
def test_what_a_session_can_not_go_on_without_is_said_to_be_lost(
    tmp_path: Path, what: str, statement: str
) -> None:
    first = prepare_scan(tmp_path / "one", *SHORT, "runs.count=1")
    first.run()
    lose(first.folder, statement)
    with pytest.raises(SessionDamagedError, match=what):
        read_scan_session(first.folder)


def test_an_edited_copy_of_the_protocol_is_told_and_not_used(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    first = prepare_scan(tmp_path / "one", *SHORT, "runs.count=1")
    first.run()
    copy = first.folder / "protocol.yaml"
    copy.write_text(copy.read_text(encoding="utf-8").replace("seed: 5", "seed: 6"), encoding="utf-8")
    resumed = resume_simulated(first.folder, "runs.count=2")
    assert resumed.work.loaded.protocol.seed == 5
    assert "edited; it is not used" in " ".join(capsys.readouterr().err.split())
