from __future__ import annotations

from pathlib import Path

import pytest

from closedloop.errors import TriggerError
from closedloop.protocol.load import load_scan
from closedloop.protocol.sections.scan import Trigger
from experiments.cli import main
from experiments.commands.simulate_scanner import _options
from hardware.scanner.from_protocol import _path


def test_a_scanner_runs_from_the_command_line(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    out = tmp_path / "sent.csv"
    words = [
        "simulate",
        "scanner",
        "--path",
        "serial",
        "--tr",
        "0.02",
        "--volumes",
        "4",
        "--start-after",
        "0.01",
    ]
    assert main([*words, "--drop", "2", "--out", str(out)]) == 0
    assert "run 1: sent 3 pulses" in capsys.readouterr().out
    assert len(out.read_text(encoding="utf-8").splitlines()) == 4


def test_faults_and_presses_are_read_as_they_are_written() -> None:
    options = _options(
        {
            "jitter_ms": 5.0,
            "drop": "1,4",
            "human": "-1,2.5",
            "extra": "3",
            "double_after_ms": 8.0,
            "press": ["1@2.5", "b@3"],
        }
    )
    assert options.jitter_s == 0.005
    assert options.faults.drop == (1, 4)
    assert options.faults.human_s == (-1, 2.5)
    assert options.faults.extra_s == (3.0,)
    assert options.faults.double_after_s == 0.008
    assert options.presses == ((2.5, "1"), (3.0, "b"))


def test_a_protocol_says_what_scanner_it_waits_for_and_options_count_more(tmp_path: Path) -> None:
    protocols = Path(__file__).parents[2] / "protocols"
    expected = load_scan(protocols / "scanner_block.yaml", check_files=False).protocol
    options = _options({"protocol": protocols / "scanner_block.yaml", "volumes": 7, "drop": "2"})
    assert (options.tr_s, options.dummies) == (expected.scanner.tr_s, expected.scanner.dummies)
    assert (options.volumes, options.faults.drop) == (7, (2,))
    assert options.runs == len(expected.runs.planned)


@pytest.mark.parametrize(
    ("trigger", "given"),
    [
        ({"path": "keyboard", "key": "t"}, {"path": "keyboard", "key": "t"}),
        (
            {"path": "serial", "port": "scanner-tty", "byte": 7},
            {"path": "serial", "byte": 7, "link": Path("scanner-tty")},
        ),
        ({"path": "serial", "port": "/dev/ttyUSB0"}, {"path": "serial"}),
        (
            {"path": "lsl", "stream": {"type": "mri"}, "marker": "5"},
            {"path": "lsl", "stream_type": "mri", "marker": "5"},
        ),
    ],
)
def test_the_path_is_the_protocols(trigger: dict[str, object], given: dict[str, object]) -> None:
    assert _path(Trigger.model_validate(trigger)) == given


def test_what_needs_a_device_cannot_be_simulated() -> None:
    with pytest.raises(TriggerError, match="parallel"):
        _path(Trigger(path="parallel", port="/dev/parport0"))


@pytest.mark.parametrize(
    "words", [["--path", "smoke"], ["--drop", "x"], ["--press", "5"], ["--volumes", "0"], ["--drift", "2"]]
)
def test_what_cannot_be_is_a_wrong_command_line(words: list[str]) -> None:
    assert main(["simulate", "scanner", *words]) == 2
