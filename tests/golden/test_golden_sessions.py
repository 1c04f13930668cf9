"""Session files that every released schema has written load, verify, export, report and go on for ever after."""

from __future__ import annotations

import shutil
import sqlite3
from pathlib import Path

import numpy as np
import pytest
from simulated_session import resume

from closedloop.exports import export_session
from closedloop.ports import Pixels
from closedloop.replay.recorded import read_recorded
from closedloop.replay.rescoring import rescore
from closedloop.replay.summary import summarise
from closedloop.replay.verification import Check
from closedloop.report import write_report
from closedloop.session import SessionReader
from closedloop.session.salvage import salvage
from experiments.replay_verify import verify_session

HERE = Path(__file__).resolve().parent
GOLDEN = sorted(path.parent for path in HERE.glob("schema-*/*/session.sqlite"))


@pytest.fixture(params=GOLDEN, ids=lambda path: f"{path.parent.name}-{path.name}")
def golden(request: pytest.FixtureRequest, tmp_path: Path) -> Path:
    source: Path = request.param
    return Path(shutil.copytree(source, tmp_path / f"golden-{source.name}"))


def colours(trial: int, image: Pixels) -> np.ndarray:
    """As the golden sessions were made with."""
    return image.mean((0, 1))[:2] / 2.55  # type: ignore[no-any-return]  # numpy's own


def test_there_are_golden_files_of_each_sort() -> None:
    assert {path.name for path in GOLDEN if path.parent.name == "schema-1"} >= {"rates", "spikes", "crashed"}
    assert all((path / "session.sqlite").stat().st_size < 300_000 for path in GOLDEN)


def test_they_load_and_are_told(golden: Path) -> None:
    with SessionReader(golden) as reader:
        summary = summarise(reader)
        assert summary.damages == []
        assert len(reader.samples("response").times_s) > 500
    lines = dict(summary.lines)
    assert "valid" in lines["trials"]
    assert ("still running, or crashed" in lines["run 0"]) == (golden.name == "golden-crashed")


def test_they_verify_and_score_again(golden: Path) -> None:
    found = verify_session(golden)
    assert found.compared[Check.RESPONSES] >= 10
    with SessionReader(golden) as reader:
        assert rescore(read_recorded(reader), read_recorded(reader).protocol).equal


def test_they_export_and_report(golden: Path, tmp_path: Path) -> None:
    written = {path.name for path in export_session(golden, tmp_path / "out")}
    assert {"trials.parquet", "events.tsv", "thread-evolution_generation-0000_best.png"} <= written
    assert "golden-" in write_report(golden).read_text(encoding="utf-8")


def test_they_can_be_salvaged_whole(golden: Path, tmp_path: Path) -> None:
    assert salvage(golden, tmp_path / "new").lost == []
    for table in ("trials", "images", "chunks", "scores"):
        counts = []
        for folder in (golden, tmp_path / "new"):
            connection = sqlite3.connect(folder / "session.sqlite")
            counts.append(connection.execute(f"SELECT count(*) FROM {table}").fetchone())  # noqa: S608  a name from above
            connection.close()
        assert counts[0] == counts[1]


def test_they_go_on_and_still_verify(golden: Path) -> None:
    outcome = resume(golden, "limits.generations=4", respond=colours, units=2, poisson=True).run()
    assert outcome.exit_status == "completed"
    with SessionReader(golden) as reader:
        assert reader.table("generations")["ended_s"].notna().sum() == 4
    verify_session(golden)
