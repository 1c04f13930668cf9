"""It is said where other buttons of the box would be taken for pulses."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from closedloop.protocol.sections.scan import Trigger
from experiments.cli import main
from hardware.triggers import pulse_words

SERIAL = {"path": "serial", "port": "/dev/ttyS9"}
LSL = {"path": "lsl", "stream": {"source_id": "gateway"}}


@pytest.mark.parametrize(
    ("trigger", "remedy"),
    [
        (SERIAL, "scanner.trigger.byte"),
        (LSL, "scanner.trigger.marker"),
        ({**LSL, "numbered_from": 0}, "any marker that ends in a number"),
    ],
)
def test_where_anything_is_a_pulse_it_is_said(trigger: dict[str, Any], remedy: str) -> None:
    (words,) = pulse_words(Trigger.model_validate(trigger))
    assert "counts as a pulse" in words
    assert remedy in words


@pytest.mark.parametrize(
    "trigger",
    [
        {"path": "keyboard"},
        {**SERIAL, "byte": 53},
        {**SERIAL, "line": "cts"},
        {"path": "parallel", "port": "/dev/parport0"},
        {**LSL, "marker": "volume"},
    ],
)
def test_where_pulses_are_told_apart_nothing_is_said(trigger: dict[str, Any]) -> None:
    assert pulse_words(Trigger.model_validate(trigger)) == []


def test_a_dry_run_says_it(capsys: pytest.CaptureFixture[str]) -> None:
    protocol = Path(__file__).parents[3] / "protocols" / "scanner_demo.yaml"
    words = ["run", str(protocol), "--dry-run", "--set", "scanner.trigger.path=serial"]
    assert main([*words, "--set", "scanner.trigger.port=/dev/ttyS9"]) == 0
    said = capsys.readouterr()
    assert "any byte counts as a pulse" in " ".join((said.out + said.err).split())
