"""A session that was cut off and resumed is the session that was not, byte for byte."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import cut_session
import numpy as np
import pytest
from cut_session import SHORT, HastyClock, acknowledged, answer, content
from simulated_session import prepare, resume

from closedloop.errors import ProcessDiedError
from closedloop.loop.commands import Command, CommandKind
from closedloop.ports import Pixels
from closedloop.session import SessionReader
from hardware.stage.simulated import StageFault

ROOT = Path(__file__).resolve().parents[2]
forks = pytest.mark.skipif(not hasattr(os, "fork"), reason="this system can't fork")


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An uninterrupted session."""
    session = prepare(tmp_path_factory.mktemp("whole") / "one", *SHORT, respond=answer, clock=HastyClock())
    assert session.run().exit_status == "completed"
    return session.folder


def cut_off(folder: Path, cuts: list[str]) -> list[Path]:
    """Run one session for each cut, which dies there."""
    paths = [str(ROOT), str(ROOT / "tests" / "experiments")]
    done = subprocess.run(
        [sys.executable, cut_session.__file__, str(folder), *cuts],
        env=os.environ | {"PYTHONPATH": os.pathsep.join(paths)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return [folder / cut for cut in cuts]


def go_on(folder: Path, *overrides: str) -> None:
    assert resume(folder, *overrides, respond=answer, clock=HastyClock()).run().exit_status == "completed"


def check(folder: Path, whole: Path) -> int:
    """Resume a session and compare it; return how many trials had been acknowledged."""
    before = acknowledged(folder)
    go_on(folder)
    assert acknowledged(folder)[: len(before)] == before, folder
    wanted, got = content(whole), content(folder)
    for what in wanted:
        assert got[what] == wanted[what], (folder, what)
    return len(before)


@forks
@pytest.mark.timeout(240)
def test_a_session_killed_before_any_statement_goes_on_as_the_uninterrupted_one(
    whole: Path, tmp_path: Path
) -> None:
    statements = 700
    rng = np.random.default_rng(np.random.SeedSequence(20))
    early, anywhere = rng.choice(60, 6, replace=False), rng.choice(statements, 14, replace=False)
    cuts = [f"s{number}" for number in sorted({*early.tolist(), *anywhere.tolist()})]
    how_far = {check(folder, whole) for folder in cut_off(tmp_path, cuts)}
    assert len(how_far) > 6


@forks
def test_a_session_killed_at_any_time_goes_on(whole: Path, tmp_path: Path) -> None:
    rng = np.random.default_rng(np.random.SeedSequence(21))
    cuts = [f"t{seconds:.3f}" for seconds in rng.uniform(0.05, 0.8, 6)]
    begun = [folder for folder in cut_off(tmp_path, cuts) if (folder / "protocol.yaml").exists()]
    assert begun
    for folder in begun:
        check(folder, whole)


@forks
def test_a_session_killed_again_and_again_goes_on(whole: Path, tmp_path: Path) -> None:
    cuts = ["s300+s90+s150+s60", "s4+s30+s400+s3", "s760+s5+s9"]
    for folder, runs in zip(cut_off(tmp_path, cuts), (5, 5, 4), strict=True):
        check(folder, whole)
        with SessionReader(folder) as reader:
            table = reader.table("runs")
            assert len(table) <= runs
            assert table["exit_status"].iloc[:-1].isna().all()
            assert set(reader.table("trials")["status"]) <= {"valid", "invalid", "interrupted"}


def test_a_finished_session_takes_further_generations(whole: Path, tmp_path: Path) -> None:
    short = prepare(tmp_path / "one", *SHORT, "limits.generations=1", respond=answer, clock=HastyClock())
    short.run()
    go_on(short.folder, "limits.generations=2")
    go_on(short.folder, "limits.generations=3")
    assert content(short.folder) == content(whole)
    with SessionReader(short.folder) as reader:
        assert reader.meta()["protocol_json@run2"] != reader.meta()["protocol_json"]
        assert "generations: 1" not in reader.meta()["protocol_json@run2"]


@pytest.mark.parametrize("kind", [CommandKind.ABORT, CommandKind.END])
def test_a_session_that_was_ended_at_the_rig_goes_on(whole: Path, tmp_path: Path, kind: CommandKind) -> None:
    session = prepare(tmp_path / "one", *SHORT, respond=answer, clock=HastyClock())
    session.operator.script = lambda: (Command(kind, 0.0, "window"),) if session.clock.now() > 1000.5 else ()
    assert session.run().exit_status in ("aborted", "stopped")
    check(session.folder, whole)


@pytest.mark.parametrize("victim", ["stage", "source"])
def test_a_session_that_failed_for_a_dead_process_goes_on(whole: Path, tmp_path: Path, victim: str) -> None:
    session = prepare(tmp_path / "one", *SHORT, respond=answer, clock=HastyClock())

    def script() -> tuple[Command, ...]:
        if session.clock.now() > 1000.7:
            if victim == "stage":
                session.rig.stage.fail(StageFault.DIED)
            else:
                session.rig.source.die()
        return ()

    session.operator.script = script
    with pytest.raises(ProcessDiedError):
        session.run()
    assert check(session.folder, whole) > 0


def test_twin_evolutions_with_repeats_go_on(tmp_path: Path) -> None:
    thread = (
        "{name: %s, generator: {name: pixels, weights: null, parameters: {height_px: 4, width_px: 4}},"
        " optimizer: {name: genetic, parameters: {population: 3, n_conserve: 1}}, units: {units: [%d]}}"
    )
    twins = f"threads=[{thread % ('left', 0)}, {thread % ('right', 1)}]"
    overrides = [*(o for o in SHORT if not o.startswith("threads")), twins, "response.repeats=2"]

    def respond(trial: int, image: Pixels) -> np.ndarray:
        return np.concatenate([answer(trial, image), 60 - answer(trial, image) / 4])

    whole = prepare(tmp_path / "whole", *overrides, respond=respond, units=2, clock=HastyClock())
    whole.run()
    cut = prepare(tmp_path / "cut", *overrides, respond=respond, units=2, clock=HastyClock())
    cut.operator.script = lambda: (
        (Command(CommandKind.ABORT, 0.0, "window"),) if cut.clock.now() > 1002.5 else ()
    )
    cut.run()
    resume(cut.folder, respond=respond, units=2, clock=HastyClock()).run()
    assert content(cut.folder) == content(whole.folder)


def test_the_time_limit_counts_the_runs_and_not_the_time_between(tmp_path: Path) -> None:
    limited = (*SHORT, "limits.generations=50", "limits.minutes=0.058")
    whole = prepare(tmp_path / "whole", *limited, respond=answer, clock=HastyClock())
    assert "time limit" in whole.run().reason
    cut = prepare(tmp_path / "cut", *limited, respond=answer, clock=HastyClock())
    cut.operator.script = lambda: (
        (Command(CommandKind.ABORT, 0.0, "window"),) if cut.clock.now() > 1002.0 else ()
    )
    cut.run()
    later = resume(cut.folder, respond=answer, clock=HastyClock(start_s=90_000.0))
    assert "time limit" in later.run().reason
    with SessionReader(cut.folder) as again, SessionReader(whole.folder) as once:
        assert again.table("generations").generation.max() == once.table("generations").generation.max()
