"""Requests for faults are read as written, or refused with what would be right."""

from __future__ import annotations

import pytest

from hardware.subject.faults import Fault, FaultSyntaxError, parse_fault


@pytest.mark.parametrize(
    ("text", "fault"),
    [
        ("drop", Fault("drop", 1.0)),
        ("drop 1.5", Fault("drop", 1.5)),
        ("restart", Fault("restart", 0.0)),
        ("dead 2 3 @7", Fault("dead", 2.0, unit=3, at_s=7.0)),
        ("gap 1 @12.5", Fault("gap", 1.0, at_s=12.5)),
    ],
)
def test_read(text: str, fault: Fault) -> None:
    assert parse_fault(text) == fault


@pytest.mark.parametrize(
    "text", ["", "sleep 1", "drop x", "drop -1", "drop nan", "drop 1 2", "dead 1 -1", "gap @", "drop inf"]
)
def test_refused(text: str) -> None:
    with pytest.raises(FaultSyntaxError, match=r"drop 1\.5"):
        parse_fault(text)
