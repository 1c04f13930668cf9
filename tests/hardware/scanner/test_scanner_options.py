"""What the simulated scanner refuses to be told, and the record that it keeps."""

from __future__ import annotations

from pathlib import Path

import pytest

from closedloop.errors import DiskError
from closedloop.scan.simulation import ScannerFaults
from experiments.cli import main
from hardware.scanner.options import ScannerOptions
from hardware.scanner.record import Record


@pytest.mark.parametrize("number", [float("nan"), float("inf"), float("-inf")])
@pytest.mark.parametrize("name", ["tr_s", "jitter_s", "hold_s", "start_after_s", "acquisition_s"])
def test_numbers_are_finite(name: str, number: float) -> None:
    with pytest.raises(ValueError, match=name):
        ScannerOptions(**{name: number})


def test_numbers_of_faults_and_presses_are_finite() -> None:
    nan = float("nan")
    for faults in (ScannerFaults(drift=nan), ScannerFaults(tr_error=nan), ScannerFaults(human_s=(1.0, nan))):
        with pytest.raises(ValueError, match="finite"):
            ScannerOptions(faults=faults)
    with pytest.raises(ValueError, match="presses"):
        ScannerOptions(presses=((nan, "1"),))


@pytest.mark.parametrize("words", [["--tr", "nan"], ["--jitter-ms", "nan"], ["--extra", "1,inf"]])
def test_no_number_is_a_wrong_command_line(words: list[str]) -> None:
    assert main(["simulate", "scanner", "--path", "serial", "--volumes", "1", *words]) == 2


@pytest.mark.parametrize("name", ["sent.csv", "sent.npz"])
def test_an_earlier_record_is_not_written_over(tmp_path: Path, name: str) -> None:
    path = tmp_path / name
    with Record(path):
        pass
    before = path.read_bytes()
    assert before
    with pytest.raises(DiskError, match="there already"):
        Record(path)
    assert path.read_bytes() == before


@pytest.mark.parametrize("name", ["sent.csv", "sent.npz"])
def test_a_scanner_that_could_not_begin_leaves_the_name_free(tmp_path: Path, name: str) -> None:
    path = tmp_path / name
    with pytest.raises(RuntimeError), Record(path):
        raise RuntimeError
    assert not path.exists()


@pytest.mark.parametrize(
    "words",
    [
        ["--path", "serial", "--key", "5"],
        ["--path", "serial", "--marker", "volume"],
        ["--path", "lsl", "--hold-ms", "5"],
        ["--byte", "53"],
        ["--volumes", "5", "--drop", "5"],
        ["--volumes", "5", "--double=-1"],
        ["--path", "serial", "--stop-after", "0"],
    ],
)
def test_what_can_have_no_effect_is_a_wrong_command_line(words: list[str]) -> None:
    assert main(["simulate", "scanner", "--tr", "0.01", "--volumes", "1", "--start-after", "0", *words]) == 2
