"""A table of events that shows nothing, or lacks a condition that the protocol names, is refused before a scan."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from closedloop.errors import ProtocolError
from closedloop.protocol.load import load_scan
from experiments.scanner import dry_run, make_work

PROTOCOL = """
kind: scan
subject: {id: tester}
seed: 5
scanner: {tr_s: 1.0, volumes: 12}
design: {kind: events, file: events.tsv}
task: {kind: buttons, keys: ["1", "2"], correct: {face: "1"}}
efficiency: {contrasts: [{name: "face>house", weights: {face: 1, house: -1}}]}
"""
TABLE = "onset\tduration\ttrial_type\tCOLUMN\n1\t0.5\tface\ta.png\n5\t0.5\thouse\ta.png\n8\t0.5\tblank\tn/a\n"


@pytest.fixture
def protocol(tmp_path: Path) -> Path:
    Image.fromarray(np.zeros((4, 4, 3), dtype=np.uint8)).save(tmp_path / "a.png")
    (tmp_path / "events.tsv").write_text(TABLE.replace("COLUMN", "stim_file"))
    path = tmp_path / "scan.yaml"
    path.write_text(PROTOCOL)
    return path


def test_a_table_whose_images_stand_in_another_column_is_refused(protocol: Path) -> None:
    (protocol.parent / "events.tsv").write_text(TABLE.replace("COLUMN", "stimulus"))
    with pytest.raises(ProtocolError, match="the columns are onset, duration, trial_type, stimulus") as error:
        dry_run(protocol)
    assert "design.stimulus_column" in error.value.remedy
    work = make_work(load_scan(protocol, ["design.stimulus_column=stimulus"]))
    assert [event.kind for event in work.plans[0].events] == ["image", "image", "null"]
    # a session that began with it before this was asked for goes on
    assert len(make_work(load_scan(protocol), begun=True).plans) == 1


@pytest.mark.parametrize(
    ("override", "key"),
    [
        ("efficiency.contrasts.0.weights={face: 1, huose: -1}", "efficiency.contrasts.0.weights.huose"),
        ('task.correct={huose: "1"}', "task.correct.huose"),
    ],
)
def test_a_condition_that_no_table_has_is_refused(protocol: Path, override: str, key: str) -> None:
    with pytest.raises(ProtocolError) as error:
        make_work(load_scan(protocol, [override]))
    assert error.value.where == key
    assert error.value.remedy == "Did you mean 'house'?"
    assert "blank" not in error.value.expected  # it shows nothing


def test_a_contrast_with_a_condition_that_a_run_does_not_show_has_no_efficiency_there(protocol: Path) -> None:
    (protocol.parent / "faces.tsv").write_text(
        "onset\tduration\ttrial_type\tstim_file\n1\t0.5\tface\ta.png\n6\t0.5\tface\ta.png\n"
    )
    each = "runs.each=[{label: a}, {label: b, events: faces.tsv}]"
    both, faces = make_work(load_scan(protocol, [each])).plans
    assert both.drawn["efficiency"]["total"] > 0
    assert faces.drawn["efficiency"]["total"] == 0
