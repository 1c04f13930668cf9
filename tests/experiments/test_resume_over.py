"""A session that is over, and was cut off before it could say so, is closed by a resume like by any other run of it."""

from __future__ import annotations

from pathlib import Path

import pytest
from cut_session import SHORT, HastyClock, answer
from salvaged_session import lose
from simulated_session import prepare

from closedloop.session import SessionReader
from experiments.recorded import read_session
from experiments.replay_verify import compare_evolution
from experiments.resume import resume_session


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Two complete generations, and no word of the end."""
    session = prepare(tmp_path / "one", *SHORT, "limits.generations=2", respond=answer, clock=HastyClock())
    session.run()
    lose(
        session.folder, "UPDATE runs SET exit_status = NULL, ended_s = NULL, ended_utc = NULL, reason = NULL"
    )
    return session.folder


@pytest.mark.parametrize("accepted", [True, False])
def test_what_was_changed_and_accepted_is_recorded(folder: Path, accepted: bool) -> None:
    changes = ("limits.generations=1", *(("response.repeats=2",) if accepted else ()))
    resume_session(folder, overrides=changes, accept_changes=accepted)
    recorded = read_session(folder)
    assert (recorded.last_run, recorded.exit_status) == (1, "completed")
    assert recorded.protocol.limits.generations == 1
    assert recorded.protocol.response.repeats == (2 if accepted else 1)
    assert (folder / "protocol.run1.yaml").is_file()
    with SessionReader(folder) as reader:
        (resumed,) = reader.details("events", "detail")
        assert reader.table("events")[["kind", "run"]].to_numpy().tolist() == [["resumed", 1]]
        assert (resumed["accepted"], resumed["bred"]) == (accepted, 2)
        for change in changes:
            assert any(text.startswith(change.partition("=")[0]) for text in resumed["changes"])
        assert [str(one) for one in compare_evolution(reader).differences] == []


def test_one_that_nothing_was_changed_of_is_closed_with_its_event(folder: Path) -> None:
    resume_session(folder)
    with SessionReader(folder) as reader:
        assert reader.table("events")["kind"].tolist() == ["resumed"]
        assert "protocol@run1" not in reader.meta()
        assert reader.table("runs")["exit_status"].tolist()[1:] == ["completed"]
    resume_session(folder)
    with SessionReader(folder) as reader:
        assert len(reader.table("runs")) == 2
