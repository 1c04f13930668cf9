"""A run that is added to a session on resume is one like the others: in the file, in exports, in the report."""

from __future__ import annotations

from pathlib import Path

import pytest
from simulated_scan import prepare_scan, resume_simulated

from closedloop.session import SessionReader

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
