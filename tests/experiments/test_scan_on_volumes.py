"""What is planned on volumes or in the silence between them does not go on when the TR is another."""

from __future__ import annotations

from pathlib import Path

import pytest
from simulated_scan import load, prepare_scan

from closedloop.scan.recorded import read_scans
from closedloop.scan.simulation import ScannerFaults
from closedloop.session import SessionReader

ON_VOLUMES = (
    "design={kind: event_related, units: volumes, lead_in: 1, image_s: 0.3, isi: {draw: fixed, mean: 1.7}}"
)
SPARSE = "scanner.acquisition_s=0.4"


@pytest.mark.parametrize(
    ("overrides", "status"),
    [
        ((ON_VOLUMES,), "aborted"),
        ((SPARSE,), "aborted"),
        ((), "completed"),  # seconds keep to seconds, whatever the scanner does; the operator is warned
        ((ON_VOLUMES, "scanner.policy.tr_off=note"), "completed"),
    ],
    ids=["volumes", "sparse", "seconds", "as the protocol says"],
)
def test_a_tr_that_is_off_ends_a_run_that_stands_on_volumes(
    tmp_path: Path, overrides: tuple[str, ...], status: str
) -> None:
    session = prepare_scan(tmp_path / "one", "runs.count=1", "task=null", *overrides)
    session.faults = [ScannerFaults(tr_error=0.02)]
    session.run()
    with SessionReader(session.folder) as reader:
        (scan,) = read_scans(reader)
    assert scan.status == status
    (words,) = (str(one["words"]) for one in scan.findings if one["finding"] == "tr_off")
    assert "after 100 volumes they would come 2.0" in words
    assert "s before the volumes that they are planned on" in words


def test_each_run_has_its_volumes_and_its_policy(tmp_path: Path) -> None:
    protocol = load(tmp_path / "one", ON_VOLUMES).protocol
    scanner = protocol.scanner_of(7)
    assert (scanner.volumes, scanner.policy.tr_off, scanner.policy.missed) == (7, "abort", "warn")
    assert protocol.scanner.policy.tr_off is None
