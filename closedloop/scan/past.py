"""What earlier runs of the program have recorded of a scan session, and how it goes on from there."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

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
        taken_back: those that a person wanted made again, and no more.
        made_again: when the runs were armed that were completed once more after they had been; the last time.
        attempts: how often each label was armed: the number of its next attempt.
        order: labels of the protocol's runs, in order.
        next_scan, next_trial: numbers that are free.
        begun: thread and images are recorded.
        images: numbers of the images that are.
        cut_off: runs without an end, each with the protocol that held in it.
    """

    completed: frozenset[str] = frozenset()
    repeat: frozenset[str] = frozenset()
    taken_back: frozenset[str] = frozenset()
    made_again: Mapping[str, datetime] = field(default_factory=dict)
    attempts: Mapping[str, int] = field(default_factory=dict)
    order: Sequence[str] = ()
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
        done = f"run {self._named(self.completed)} completed" if self.completed else "no run completed"
        again = f", run {self._named(self.repeat)} to be made again" if self.repeat else ""
        return done + (f", {len(self.cut_off)} cut off" if self.cut_off else "") + again

    def in_order(self, labels: Iterable[str]) -> list[str]:
        """Return labels as the protocol has them; those that it does not know come last."""
        places = {label: place for place, label in enumerate(self.order)}
        return sorted(labels, key=lambda label: (places.get(label, len(places)), label))

    def _named(self, labels: Iterable[str]) -> str:
        return ", ".join(self.in_order(labels))


def read_past(reader: SessionReader) -> ScanPast:
    """Read how far a session came.

    Raises:
        SessionSchemaError: a protocol that a run was made by can't be read by this version.
    """
    protocol = scan_protocol_of(reader)
    scans, trials = read_scans(reader, protocol), reader.table("trials")
    return ScanPast(
        completed=frozenset(scan.label for scan in scans if scan.status == "completed"),
        repeat=runs_to_repeat(reader, scans),
        made_again=_made_again(reader, scans),
        # not how many there are: of a salvaged session earlier ones may be lost
        attempts={scan.label: 1 + max(_attempts(scans, scan.label)) for scan in scans},
        order=[run.label for run in protocol.runs.planned],
        next_scan=max((scan.scan for scan in scans), default=-1) + 1,
        next_trial=0 if trials.empty else int(trials["trial"].max()) + 1,
        begun=len(reader.table("threads")) > 0,
        images=frozenset(reader.table("images")["image"].tolist()),
        cut_off=[scan for scan in scans if scan.status is None],
    )


def runs_to_repeat(reader: SessionReader, scans: Sequence[RecordedScan]) -> frozenset[str]:
    """Return the labels of completed runs that were to be made again, and were not completed since.

    Each run of the program begins with those that it was to make again, and those that a person wants no more: a wish
    outlives a crash.

    Args:
        reader: of the session.
        scans: of the session.
    """
    events = reader.table("events")
    told = zip(events["kind"], events["run"], reader.details("events", "detail"), strict=True)
    last_run = {scan.label: scan.run for scan in scans if scan.status == "completed"}
    wanted: dict[str, int] = {}
    for kind, run, detail in told:
        if kind == RESUMED:
            wanted.update(dict.fromkeys(detail.get("repeat", ()), run))
            for label in detail.get("repeat_taken_back", ()):
                wanted.pop(label, None)
    return frozenset(label for label, run in wanted.items() if label in last_run and last_run[label] < run)


def wish_words(reader: SessionReader, scans: Sequence[RecordedScan]) -> str:
    """Say which runs are still to be made again, and which of their attempts counts; empty if none is.

    Args:
        reader: of the session.
        scans: of the session.
    """
    wanted = runs_to_repeat(reader, scans)
    counting = {scan.label: scan.attempt + 1 for scan in scans if scan.status == "completed"}
    return ", ".join(
        f"run {label} (attempt {counting[label]} counts until then)"
        for label in dict.fromkeys(scan.label for scan in scans)
        if label in wanted
    )


def _made_again(reader: SessionReader, scans: Sequence[RecordedScan]) -> dict[str, datetime]:
    runs = {row["run"]: row for row in reader.table("runs").to_dict("records")}
    again: dict[str, datetime] = {}
    completed: set[str] = set()
    for scan in scans:
        if scan.status != "completed":
            continue
        if scan.label in completed and scan.run in runs:
            began = runs[scan.run]
            since = timedelta(seconds=scan.armed_s - float(began["started_s"]))
            # Python 3.10 does not know the Z that others write for UTC
            again[scan.label] = datetime.fromisoformat(began["started_utc"].replace("Z", "+00:00")) + since
        completed.add(scan.label)
    return again


def _attempts(scans: Sequence[RecordedScan], label: str) -> list[int]:
    return [scan.attempt for scan in scans if scan.label == label]


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
    for heard in as_heard(run):
        if isinstance(heard, Pulse):
            ledger.feed(heard)
        else:
            ledger.tick(heard)
    return ledger


def as_heard(run: RecordedScan) -> Iterator[Pulse | float]:
    """Yield the pulses of a run, and the times at which the lack of one was told, in their order.

    When a pulse was received says nothing of what lacked by then: a reader that was held up has them all late.
    """
    told_s = deque(sorted({float(one["time_s"]) for one in run.findings if _of_absence(one)}))
    for pulse in recorded_pulses(run):
        while told_s and told_s[0] < pulse.received_s:
            yield told_s.popleft()
        yield pulse
    yield from told_s


def _of_absence(finding: Mapping[str, Any]) -> bool:
    return finding.get("finding") in ("missed", "stopped") and finding.get("pulse") is None


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
