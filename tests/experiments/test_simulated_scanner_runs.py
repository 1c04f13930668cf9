"""The scanner that a protocol waits for: each of its runs has its own number of volumes."""

from __future__ import annotations

from pathlib import Path

import pytest
from simulated_scan import PROTOCOL

from experiments.cli import main
from experiments.commands.simulate_scanner import _options
from hardware.scanner.options import ScannerOptions

RUNS = "runs: {each: [{label: a}, {label: b, volumes: 15}, {label: c, volumes: 12}]}"
QUICK = ["--path", "serial", "--tr", "0.01", "--start-after", "0.01", "--between", "0"]


@pytest.fixture
def protocol(tmp_path: Path) -> Path:
    path = tmp_path / "own.yaml"
    path.write_text(PROTOCOL.replace("runs: {count: 2}", RUNS), encoding="utf-8")
    return path


def test_each_run_has_its_own_volumes(protocol: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["simulate", "scanner", "--protocol", str(protocol), *QUICK]) == 0
    said = capsys.readouterr().out
    for number, volumes in ((1, 12), (2, 15), (3, 12)):
        assert f"run {number} is next: {volumes} volumes" in said
        assert f"run {number}: sent {volumes + 1} pulses" in said  # and the dummy's


def test_volumes_that_are_typed_hold_for_all_runs(protocol: Path) -> None:
    options = _options({"protocol": protocol, "volumes": 7})
    assert [options.of_run(number).volumes for number in (1, 2, 3)] == [7, 7, 7]


def test_a_run_beyond_the_protocols_has_the_scanners_volumes(protocol: Path) -> None:
    options = _options({"protocol": protocol, "runs": 4})
    assert [options.of_run(number).volumes for number in (1, 2, 3, 4)] == [12, 15, 12, 12]


def test_runs_that_are_alike_are_not_told_apart(tmp_path: Path) -> None:
    path = tmp_path / "own.yaml"
    path.write_text(PROTOCOL, encoding="utf-8")
    assert _options({"protocol": path}).volumes_of_runs == ()


def test_a_run_without_volumes_cannot_be(protocol: Path) -> None:
    with pytest.raises(ValueError, match="volumes must be 1 or more"):
        ScannerOptions(volumes_of_runs=(3, 0))
