"""The numbers of runs in BIDS names: those of their labels, where a label is one."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from bids_validation import bids_errors
from scan_session_factory import PROTOCOL, Attempt, ScanPlan, write_scan_session

from closedloop.exports import export_bids
from closedloop.exports.scan_names import run_numbers

LABELLED = PROTOCOL.replace("runs: {count: 2}", "runs: {each: [{label: '2'}, {label: pre}]}")


@pytest.mark.parametrize(
    ("labels", "numbers"),
    [
        (("1", "2", "3"), (1, 2, 3)),
        (("2", "pre"), (2, 1)),
        (("pre", "2", "post"), (1, 2, 3)),
        (("7",), (7,)),
        (("7", "pre", "1"), (7, 2, 1)),
        (("0", "1"), (0, 1)),
        (("a", "b"), (1, 2)),
        (("01", "1", "a"), (2, 1, 3)),
        (("007", "07"), (7, 1)),
    ],
)
def test_labels_that_are_numbers_keep_them_and_others_take_what_is_free(
    labels: tuple[str, ...], numbers: tuple[int, ...]
) -> None:
    assert run_numbers([*labels, *labels]) == dict(zip(labels, numbers, strict=True))


def runs(bids: Path) -> dict[str, tuple[str, int]]:
    """Return label and attempt of the run that each name is of."""
    found = {}
    for path in bids.rglob("*_events.json"):
        run = json.loads(path.read_text(encoding="utf-8"))["ScanRun"]
        found[path.name.split("_task-faces_")[1].removesuffix("_events.json")] = run["Label"], run["Attempt"]
    return found


NAMES = {"run-2": ("2", 1), "acq-aborted1_run-1": ("pre", 1), "run-1": ("pre", 2)}


def test_files_bear_the_number_of_their_label(tmp_path: Path) -> None:
    attempts = (Attempt(0), Attempt(1, status="aborted", end_s=12.3), Attempt(1))
    session = write_scan_session(tmp_path / "s", ScanPlan(attempts, protocol=LABELLED))
    export_bids(session)
    assert runs(session / "bids") == NAMES
    assert bids_errors(session / "bids") == []


def test_what_was_joined_follows_a_run_whose_number_was_another_runs(tmp_path: Path) -> None:
    session = write_scan_session(tmp_path / "s", ScanPlan((Attempt(0), Attempt(1)), protocol=LABELLED))
    export_bids(session)
    (func,) = (session / "bids").glob("sub-*/ses-*/func")
    # as earlier versions counted: by their places in the protocol
    for was, becomes in (("_run-2_", "_run-x_"), ("_run-1_", "_run-2_"), ("_run-x_", "_run-1_")):
        for path in list(func.glob(f"*{was}*")):
            path.rename(path.with_name(path.name.replace(was, becomes)))
    assert runs(session / "bids") == {"run-1": ("2", 1), "run-2": ("pre", 1)}
    for number, echo_s in ((1, 0.02), (2, 0.03)):
        (bold,) = func.glob(f"*_run-{number}_bold.json")
        bold.write_text(json.dumps({**json.loads(bold.read_text()), "EchoTime": echo_s}), encoding="utf-8")
    export_bids(session)
    assert runs(session / "bids") == {"run-2": ("2", 1), "run-1": ("pre", 1)}
    echoes = {
        path.name[-15:-10]: json.loads(path.read_text())["EchoTime"] for path in func.glob("*_bold.json")
    }
    assert echoes == {"run-2": 0.02, "run-1": 0.03}
    assert bids_errors(session / "bids") == []
