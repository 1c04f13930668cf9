"""A run that is added to a session on resume is one like the others: in the file, in exports, in the report."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
from simulated_scan import prepare_scan, resume_simulated

from closedloop.exports.scan_bids import write_scan_bids
from closedloop.exports.scan_names import entities
from closedloop.replay.scan_summary import scan_lines
from closedloop.report.material import read_material
from closedloop.report.page import render
from closedloop.scan.recorded import read_scans, scan_protocol_of
from closedloop.session import SessionReader
from experiments.replay_verify import verify_session

SHORT = (
    "scanner.volumes=4",
    "scanner.dummies=0",
    "design={kind: event_related, image_s: 0.2, lead_in: 0.3, isi: {draw: fixed, mean: 0.3}, images_per_condition: 2}",
    "task=null",
)


@pytest.fixture(scope="module")
def added(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """One run, and a second that is added and shows images that the first did not."""
    first = prepare_scan(tmp_path_factory.mktemp("added") / "one", *SHORT, "runs.count=1")
    assert first.run().exit_status == "completed"
    session = resume_simulated(first.folder, "runs.count=2")
    assert session.run().exit_status == "completed"
    return first.folder


def test_its_images_are_recorded_though_no_run_before_showed_them(added: Path) -> None:
    with SessionReader(added) as reader:
        planned, images = reader.table("planned"), reader.table("images")
        shown = [set(planned.loc[planned["scan"] == scan, "image"].dropna()) for scan in (0, 1)]
        assert shown[1] - shown[0]
        assert shown[0] | shown[1] == set(images["image"])
        assert images["sha256"].notna().all()


def test_it_is_exported_by_its_own_number(added: Path, tmp_path: Path) -> None:
    with SessionReader(added) as reader:
        written = write_scan_bids(reader, tmp_path / "bids")
    tables = {path.name.split("_task-scan_")[1] for path in written if path.name.endswith("events.tsv")}
    assert tables == {"run-1_events.tsv", "run-2_events.tsv"}


def test_the_report_and_the_summary_count_it(added: Path) -> None:
    with SessionReader(added) as reader:
        page = render(read_material(reader))
        assert dict(scan_lines(reader))["scan runs"] == "2 of 2 completed, 2 armed"
    assert "2 of 1" not in page


def test_it_is_verified_with_the_protocol_that_has_it(added: Path) -> None:
    found = verify_session(added)
    assert found.first is None


def test_runs_made_before_and_after_an_accepted_change_each_keep_their_protocol(tmp_path: Path) -> None:
    first = prepare_scan(tmp_path / "one", *SHORT, "runs.count=1")
    first.run()
    changes = ("design.lead_in=0.4", "scanner.dummies=1", "runs.count=2")
    assert resume_simulated(first.folder, *changes, accept_changes=True).run().exit_status == "completed"
    assert verify_session(first.folder).first is None
    with SessionReader(first.folder) as reader:
        scans = read_scans(reader, scan_protocol_of(reader))
    assert [scan.dummies for scan in scans] == [0, 1]
    assert [scan.stored_volumes for scan in scans] == [4, 4]


def test_all_attempts_at_a_run_that_no_protocol_knows_have_one_number(added: Path) -> None:
    with SessionReader(added) as reader:
        protocol = scan_protocol_of(reader, run=0)  # as it began: with one run
        one, two = read_scans(reader, protocol)
    again = [replace(two, status="aborted"), replace(two, scan=2, attempt=1, status="aborted")]
    names = entities([one, *again, replace(two, scan=3, attempt=2)], protocol)
    assert list(names.values()) == ["run-1", "acq-aborted1_run-2", "acq-aborted2_run-2", "run-2"]
