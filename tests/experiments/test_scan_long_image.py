"""What is on the screen when a run ends or pauses belongs to that run, and has its end in the record."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import pytest
from simulated_scan import SHORT, SimulatedScan, prepare_scan

from closedloop.loop.commands import CommandKind
from closedloop.ports import StageEvent
from closedloop.scan.recorded import RecordedScan, read_scans, scan_protocol_of
from closedloop.scan.run import LET_GO_S
from closedloop.scan.simulation import ScannerFaults
from closedloop.session import SessionReader
from experiments.scan_verify import verify_scan_session
from hardware.stage import SimulatedStage

LONG = (
    "scanner.volumes=110",
    "scanner.dummies=0",
    "design={kind: event_related, image_s: 12, lead_in: 2, isi: {draw: fixed, mean: 1}}",
    "task=null",
)


def recorded(session: SimulatedScan) -> list[RecordedScan]:
    with SessionReader(session.folder) as reader:
        return read_scans(reader, scan_protocol_of(reader))


def test_an_image_that_outlasts_its_aborted_run_is_cut_off_and_recorded(tmp_path: Path) -> None:
    session = prepare_scan(tmp_path / "one", *LONG)
    session.faults = [ScannerFaults(stop_after=5)]
    assert session.run().exit_status == "stopped"
    scans = recorded(session)
    assert [scan.status for scan in scans] == ["aborted", "aborted"]
    for scan in scans:
        (trial,) = scan.shown.to_dict("records")
        assert (trial["status"], trial["reason"]) == ("invalid", "cut-off")
        assert scan.start_s is not None
        assert trial["onset_s"] == pytest.approx(scan.start_s + 2, abs=0.02)
        assert LET_GO_S < trial["offset_s"] - trial["onset_s"] < 12
        assert trial["offset_s"] <= scan.ended_s
    tallies = [(s.label, s.trials_shown, s.trials_invalid) for s in session.operator.statuses]
    assert {tally for tally in tallies if tally[1]} == {("1", 1, 1), ("2", 1, 1)}
    assert ("2", 0, 0) in tallies
    with SessionReader(session.folder) as reader:
        assert not verify_scan_session(reader).differences


class HeldUpStage(SimulatedStage):
    """Is neither heard nor hears for a while, in which it goes on to show."""

    held_s = (0.0, 0.0)
    to_clear = False

    @property
    def _held(self) -> bool:
        return self.held_s[0] <= self._clock.now() < self.held_s[1]

    def poll(self) -> Sequence[StageEvent]:
        if self._held:
            return ()
        events = super().poll()
        if self.to_clear:
            self.to_clear = False
            super().clear()
        return events

    def clear(self) -> None:
        if self._held:
            self.to_clear = True
        else:
            super().clear()


def test_what_a_held_up_stage_shows_of_what_was_taken_back_is_recorded(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    session = prepare_scan(tmp_path / "one", *SHORT, "runs.count=1")
    shape = session.work.stimuli.image_shape
    stage = HeldUpStage(session.clock, session.work.loaded.protocol.display, shape)
    stage.held_s = (1001.2, 1002.4)  # images are due each half second from 1000.8 s on
    session.stage = stage
    session.at_console((1.22, CommandKind.PAUSE), (2.6, CommandKind.RESUME), (8.0, CommandKind.GO))
    assert session.run().exit_status == "completed"
    assert "was taken back: the stage was held up" in caplog.text
    (scan,) = recorded(session)
    shown = scan.shown
    assert (shown["onset_s"].between(*stage.held_s)).sum() == 3
    assert set(shown["status"]) == {"valid"}
    assert shown["reason"].isna().all()
    with SessionReader(session.folder) as reader:
        assert not verify_scan_session(reader).differences
