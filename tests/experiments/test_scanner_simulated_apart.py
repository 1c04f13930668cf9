"""A simulated scanner is heard where it is, and apart from what is real: its port, and its corner of LSL."""

from __future__ import annotations

import os
import sys
from pathlib import Path

import pytest
from simulated_scan import PROTOCOL

from closedloop.protocol.load import load_scan
from closedloop.protocol.scan import ScanProtocol
from experiments.lsl_quiet import quiet_lsl
from experiments.network import lsl_of_scan
from experiments.simulated_scanner import ProtocolScanner
from hardware.clock import VirtualClock
from hardware.triggers import open_trigger

SIMULATED = "scanner.simulate={start_after_s: 0.5}"


def protocol_of(folder: Path, *overrides: str) -> ScanProtocol:
    path = folder / "scan.yaml"
    path.write_text(PROTOCOL, encoding="utf-8")
    return load_scan(path, overrides).protocol


@pytest.mark.skipif(sys.platform == "win32", reason="no pseudo-terminals")
def test_pulses_of_a_simulated_serial_scanner_are_heard_at_its_pseudo_terminal(tmp_path: Path) -> None:
    """The port of the protocol is a real one, which must not be opened: here it is not even there."""
    protocol = protocol_of(tmp_path, SIMULATED, "scanner.trigger={path: serial, port: /dev/ttyUSB77}")
    simulated = ProtocolScanner(protocol, VirtualClock())
    try:
        where, heard = simulated.open()
        trigger = open_trigger(heard, protocol.task.keys if protocol.task else ())
        try:
            assert where in trigger.open().device
        finally:
            trigger.close()
    finally:
        simulated.close()
    assert where != "/dev/ttyUSB77"


@pytest.mark.parametrize(
    ("overrides", "own"),
    [
        ((SIMULATED,), True),
        ((), False),  # a real scanner's stream is looked for where it is
        ((SIMULATED, "lsl.session_id=lab"), False),
    ],
    ids=["simulated", "real", "given"],
)
def test_a_simulated_scanner_has_a_corner_of_lsl_of_its_own(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, overrides: tuple[str, ...], own: bool
) -> None:
    monkeypatch.delenv("LSLAPICFG", raising=False)
    monkeypatch.setenv("HOME", str(tmp_path))  # so that no configuration is somebody's
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    quiet_lsl()  # as each command does; it is no corner
    quiet = os.environ["LSLAPICFG"]
    with lsl_of_scan(protocol_of(tmp_path, *overrides)):
        config = os.environ.get("LSLAPICFG")
        text = "" if config is None else Path(config).read_text(encoding="utf-8")
    assert ("SessionID = simulated-scanner-" in text) == own
    assert ("SessionID = lab" in text) == ("lsl.session_id=lab" in overrides)
    assert os.environ["LSLAPICFG"] == quiet


def test_a_corner_that_somebody_set_up_holds(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LSLAPICFG", "/somewhere")
    with lsl_of_scan(protocol_of(tmp_path, SIMULATED)):
        assert os.environ["LSLAPICFG"] == "/somewhere"
