"""What earlier runs of the program have recorded of a scan session, and how it goes on from there."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np

from closedloop.loop.history import RESUMED
from closedloop.protocol.scan import ScanProtocol
from closedloop.scan.findings import RanBefore
from closedloop.scan.ledger import PulseLedger
from closedloop.scan.ports import Pulse
from closedloop.scan.recorded import RecordedScan, read_scans, scan_protocol_of
from closedloop.session import SessionReader
from closedloop.session.scan_store import ScanStore

CUT_OFF = "cut off: the program ended while it ran"


@dataclass(frozen=True)
class ScanPast:
    """The state of a scan session, as far as going on needs it.

    Attributes:
        completed: labels of runs that have a completed attempt.
        repeat: those of them that a person wants made again; the completed attempt counts until then.
        attempts: how often each label was armed.
        next_scan, next_trial: numbers that are free.
        begun: thread and images are recorded.
        images: numbers of the images that are.
        cut_off: runs without an end, each with the protocol that held in it.
    """

    completed: frozenset[str] = frozenset()
    repeat: frozenset[str] = frozenset()
    attempts: Mapping[str, int] = field(default_factory=dict)
    next_scan: int = 0
    next_trial: int = 0
    begun: bool = False
    images: frozenset[int] = frozenset()
    cut_off: Sequence[RecordedScan] = ()

    @property
    def done(self) -> frozenset[str]:
        """Labels of runs that are not to be made any more."""
        return self.completed - self.repeat

    @property
    def words(self) -> str:
        """Say how far the session came."""
        done = f"run {', '.join(sorted(self.completed))} completed" if self.completed else "no run completed"
        again = f", run {', '.join(sorted(self.repeat))} to be made again" if self.repeat else ""
        return done + (f", {len(self.cut_off)} cut off" if self.cut_off else "") + again


def read_past(reader: SessionReader) -> ScanPast:
    """Read how far a session came.

    Raises:
        SessionSchemaError: a protocol that a run was made by can't be read by this version.
    """
    scans, trials = read_scans(reader, scan_protocol_of(reader)), reader.table("trials")
    return ScanPast(
        completed=frozenset(scan.label for scan in scans if scan.status == "completed"),
        repeat=_to_repeat(reader, scans),
        attempts=Counter(scan.label for scan in scans),
        next_scan=max((scan.scan for scan in scans), default=-1) + 1,
        next_trial=0 if trials.empty else int(trials["trial"].max()) + 1,
        begun=len(reader.table("threads")) > 0,
        images=frozenset(reader.table("images")["image"].tolist()),
        cut_off=[scan for scan in scans if scan.status is None],
    )


def _to_repeat(reader: SessionReader, scans: Sequence[RecordedScan]) -> frozenset[str]:
    """Return the labels of completed runs that were to be made again, and were not completed since.

    Each run of the program begins with those that it was to make again: a wish outlives a crash.
    """
    events = reader.table("events")
    told = zip(events["kind"], events["run"], reader.details("events", "detail"), strict=True)
    last_run = {scan.label: scan.run for scan in scans if scan.status == "completed"}
    return frozenset(
        label
        for kind, run, detail in told
        if kind == RESUMED
        for label in detail.get("repeat", ())
        if label in last_run and last_run[label] < run
    )


def close_cut_off(past: ScanPast, scans: ScanStore) -> None:
    """Record of each run without an end that it was cut off, with its pulses in sum.

    They are counted by the protocol that held in that run: the session may go on with another scanner.
    """
    for run in past.cut_off:
        assert run.protocol is not None  # noqa: S101  read_past reads each with its own
        scans.end(run.scan, run.last_s, "failed", CUT_OFF, heard_again(run, run.protocol).summary())


def heard_again(run: RecordedScan, protocol: ScanProtocol) -> PulseLedger:
    """Return a ledger that has heard the pulses of a run as they came.

    Args:
        run: as recorded.
        protocol: that held in it.
    """
    ledger = PulseLedger(protocol.scanner_of(run.volumes), run.armed_s, ran_before(run))
    for pulse in recorded_pulses(run):
        ledger.tick(pulse.received_s)
        ledger.feed(pulse)
    return ledger


def ran_before(run: RecordedScan) -> RanBefore | None:
    """Return the pulses that came until a run was armed, if its first pulse went on with them."""
    for finding in run.findings:
        if finding.get("finding") == "running":
            told = finding.get("detail") or {}
            return RanBefore(float(told["since_s"]), float(told["last_s"]), int(told["pulses"]))
    return None


def recorded_pulses(run: RecordedScan) -> list[Pulse]:
    """Return the pulses of a run as they came."""
    columns = ["time_s", "uncertainty_s", "raw_s", "received_s"]
    numbers = run.pulses[columns].to_numpy(dtype=np.float64).tolist()
    marks = run.pulses["mark"].tolist()
    return [
        Pulse(time_s, uncertainty_s, raw_s, received_s, str(mark))
        for (time_s, uncertainty_s, raw_s, received_s), mark in zip(numbers, marks, strict=True)
    ]
