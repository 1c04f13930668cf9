"""Session files that every released schema has written load, verify, export, report and go on for ever after."""

from __future__ import annotations

import shutil
import sqlite3
from pathlib import Path

import numpy as np
import pytest
from simulated_scan import resume_simulated
from simulated_session import resume

from closedloop.exports import export_bids, export_session
from closedloop.ports import Pixels
from closedloop.replay.recorded import read_recorded
from closedloop.replay.rescoring import rescore
from closedloop.replay.summary import summarise
from closedloop.replay.verification import Check
from closedloop.report import write_report
from closedloop.session import SessionReader
from closedloop.session.database import SCHEMA_VERSION
from closedloop.session.salvage import salvage
from experiments.replay_verify import verify_session

HERE = Path(__file__).resolve().parent
EVERY = sorted(path.parent for path in HERE.glob("schema-*/*/session.sqlite"))
SCANS = [path for path in EVERY if path.name.startswith("scan")]
GOLDEN = [path for path in EVERY if path not in SCANS]
TABLES = ("trials", "images", "chunks", "scores", "markers", "events")
OF_SCANS = ("scans", "planned", "pulses", "presses")


@pytest.fixture(params=SCANS, ids=lambda path: f"{path.parent.name}-{path.name}")
def scan(request: pytest.FixtureRequest, tmp_path: Path) -> Path:
    source: Path = request.param
    return Path(shutil.copytree(source, tmp_path / f"golden-{source.name}"))


@pytest.fixture(params=GOLDEN, ids=lambda path: f"{path.parent.name}-{path.name}")
def golden(request: pytest.FixtureRequest, tmp_path: Path) -> Path:
    source: Path = request.param
    return Path(shutil.copytree(source, tmp_path / f"golden-{source.name}"))


def colours(trial: int, image: Pixels) -> np.ndarray:
    """As the golden sessions were made with."""
    return image.mean((0, 1))[:2] / 2.55  # type: ignore[no-any-return]  # numpy's own


def test_there_are_golden_files_of_each_sort() -> None:
    evolutions = {"rates", "spikes", "crashed"}
    assert {path.name for path in EVERY if path.parent.name == "schema-1"} >= evolutions
    assert {path.name for path in EVERY if path.parent.name == "schema-2"} >= {
        *evolutions,
        "scan",
        "scan-crashed",
    }
    assert all((path / "session.sqlite").stat().st_size < 400_000 for path in EVERY)


def test_they_load_and_are_told(golden: Path) -> None:
    with SessionReader(golden) as reader:
        summary = summarise(reader)
        assert summary.damages == []
        assert len(reader.samples("response").times_s) > 500
    lines = dict(summary.lines)
    assert f"schema {reader_number(golden)}" in lines["session file"]
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
    assert counts(golden, TABLES) == counts(tmp_path / "new", TABLES)
    assert reader_number(tmp_path / "new") == SCHEMA_VERSION


def test_tables_that_an_old_file_lacks_are_read_as_empty_ones(golden: Path) -> None:
    with SessionReader(golden) as reader:
        scans, pulses = reader.table("scans"), reader.table("pulses")
        assert reader.details("scans", "drawn") == []
    assert scans.empty
    assert {"scan", "label", "start_s", "status"} <= set(scans.columns)
    assert pulses["time_s"].dtype == np.float64
    assert str(pulses["volume"].dtype) == "Int64"


def test_scans_are_told_and_verify(scan: Path) -> None:
    with SessionReader(scan) as reader:
        summary = summarise(reader)
    assert summary.damages == []
    lines = dict(summary.lines)
    assert "missed" in lines["scan run 1"]
    assert ("no end recorded" in lines["scan run 2"]) == (scan.name == "golden-scan-crashed")
    found = verify_session(scan)
    assert found.first is None
    assert sum(found.compared.values()) > 60


def test_scans_export_report_and_salvage(scan: Path, tmp_path: Path) -> None:
    written = {path.name for path in export_session(scan, tmp_path / "out")}
    assert {"pulses.parquet", "planned.parquet", "code-0001.png"} <= written
    written = {path.name.split("task-scan_")[-1] for path in export_bids(scan, tmp_path / "bids")}
    assert "run-1_events.tsv" in written
    assert ("acq-aborted1_run-2_events.tsv" in written) == (scan.name == "golden-scan-crashed")
    assert "Run 2" in write_report(scan).read_text(encoding="utf-8")
    assert salvage(scan, tmp_path / "new").lost == []
    assert counts(scan, (*TABLES, *OF_SCANS)) == counts(tmp_path / "new", (*TABLES, *OF_SCANS))


def test_a_scan_session_that_crashed_goes_on(tmp_path: Path) -> None:
    source = next(path for path in SCANS if path.name == "scan-crashed")
    folder = Path(shutil.copytree(source, tmp_path / "golden-scan-crashed"))
    assert resume_simulated(folder).run().exit_status == "completed"
    with SessionReader(folder) as reader:
        assert reader.table("scans")["status"].tolist() == ["completed", "failed", "completed"]
    assert verify_session(folder).first is None


def counts(folder: Path, tables: tuple[str, ...]) -> list[int]:
    connection = sqlite3.connect(folder / "session.sqlite")
    try:
        return [
            int(connection.execute(f"SELECT count(*) FROM {table}").fetchone()[0])  # noqa: S608  a name from above
            for table in tables
        ]
    finally:
        connection.close()


def reader_number(folder: Path) -> int:
    with SessionReader(folder) as reader:
        return reader.schema_version()


def test_they_go_on_and_still_verify(golden: Path) -> None:
    outcome = resume(golden, "limits.generations=4", respond=colours, units=2, poisson=True).run()
    assert outcome.exit_status == "completed"
    with SessionReader(golden) as reader:
        assert reader.table("generations")["ended_s"].notna().sum() == 4
    verify_session(golden)
