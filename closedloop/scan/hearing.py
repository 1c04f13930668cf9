"""Hears the scanner and the subject's buttons in one scan run: everything is in the file before it counts."""

from __future__ import annotations

import logging
from collections.abc import Callable, Sequence
from typing import Any

from closedloop.ports import Clock
from closedloop.protocol.sections.scan import Action, Scanner
from closedloop.scan.answers import Answers
from closedloop.scan.findings import PulseFinding
from closedloop.scan.fit import TrFit
from closedloop.scan.ledger import PulseLedger
from closedloop.scan.overheard import Overheard, gone, note
from closedloop.scan.ports import ButtonPress, Pulse, TriggerDied, TriggerNotice, TriggerSource
from closedloop.session import SessionStore
from closedloop.session.scan_store import ScanStore

log = logging.getLogger(__name__)


class Hearing:
    """The trigger as one scan run hears it.

    Attributes:
        presses: of the subject's buttons so far.
        last_finding: in plain words; empty without any.
        pulses_s: stamps of all pulses so far.
        heard_until_s: up to when the trigger has been listened to, and all that came is counted.

    Args:
        trigger: opened.
        scanner: what is expected of the pulses, with the volumes of this run.
        store, scans: the session file.
        clock: the one clock.
        scan: number of the scan run.
        armed_s: when it was armed.
        answers: matches presses to what asked for them.
        mark: records and sends a marker: event, time, and further fields.
        overheard: what came until it was armed, and takes what is heard of only now.
    """

    def __init__(
        self,
        trigger: TriggerSource,
        scanner: Scanner,
        store: SessionStore,
        scans: ScanStore,
        clock: Clock,
        scan: int,
        armed_s: float,
        answers: Answers,
        mark: Callable[..., None],
        overheard: Overheard,
    ) -> None:
        self._trigger = trigger
        self._scanner = scanner
        self._store = store
        self._scans = scans
        self._clock = clock
        self._scan = scan
        self._answers = answers
        self._mark = mark
        self._armed_s = armed_s
        self._overheard = overheard
        self._ledger = self._new_ledger()
        self._started = False
        self._stored: set[int] = set()
        self.presses = 0
        self.last_finding = ""
        self.pulses_s: list[float] = []
        self.heard_until_s = armed_s

    @property
    def first_pulse_s(self) -> float | None:
        """When the first pulse came."""
        return self._ledger.first_pulse_s

    @property
    def start_s(self) -> float | None:
        """The first stored volume, once it has come (or is known to have been missed); it never changes."""
        return self._ledger.start_s() if self._started else None

    @property
    def fit(self) -> TrFit | None:
        """TR and start by the pulses so far."""
        return self._ledger.fit

    @property
    def volumes(self) -> int:
        """Stored volumes whose pulses came."""
        return len(self._stored)

    @property
    def dummies_left(self) -> int:
        """Volumes to come before the first stored one."""
        return max(0, self._scanner.dummies - self._ledger.volumes_seen) if not self._started else 0

    @property
    def last_volume_over_s(self) -> float:
        """When the last stored volume is or was over, by the fit; infinity before the start."""
        begins_s = self._ledger.stored_volume_time_s(self._scanner.volumes - 1) if self._started else None
        fit = self.fit
        return float("inf") if begins_s is None else begins_s + (fit.tr_s if fit else self._scanner.tr_s)

    def listen(self) -> list[tuple[Action, PulseFinding]]:
        """Take in, record and mark what came since the last call, and what did not come.

        Returns:
            What was found, each with what the protocol wants done about it.

        Raises:
            TriggerError: the trigger's reader is gone.
        """
        now_s = self._clock.now()  # first: a pulse that comes between the two must not be called missed
        events = self._trigger.poll()
        # and only what the reader has listened to: held up itself, it hands over late what came in time
        self.heard_until_s = max(self.heard_until_s, min(now_s, self._trigger.heard_until_s))
        if not events:
            findings = self._ledger.tick(self.heard_until_s)
            return self._record(findings) if findings or self._begins else []
        findings = []
        died: TriggerDied | None = None
        with self._store.transaction():
            for event in events:
                if isinstance(event, Pulse):
                    findings += self._pulse(event)
                elif isinstance(event, ButtonPress):
                    self._press(event)
                elif isinstance(event, TriggerNotice):
                    note(self._store, event)
                    self.last_finding = event.words
                else:
                    died = event
            findings += self._ledger.tick(self.heard_until_s)
            acted = self._record(findings)
        if died is not None:
            raise gone(
                died,
                "The run is closed and everything up to here is in its file. Check the plug and the device.",
            )
        return acted

    def finish(self) -> list[tuple[Action, PulseFinding]]:
        """Tell the ledger that the run is over, and record what its count tells."""
        return self._record(self._ledger.finish(self.heard_until_s))

    def summary(self) -> dict[str, Any]:
        """Return the pulses in sum, for the file."""
        return self._ledger.summary()

    def _new_ledger(self) -> PulseLedger:
        before = self._overheard.ran_before(self._armed_s, self._scanner.tr_s)
        return PulseLedger(self._scanner, self._armed_s, before)

    def _pulse(self, pulse: Pulse) -> Sequence[PulseFinding]:
        if pulse.time_s + pulse.uncertainty_s < self._armed_s:
            # a reader that was held up hands it over only now; the run began without it all the same
            self._overheard.take(pulse)
            if self._ledger.first_pulse_s is None:
                self._ledger = self._new_ledger()
            return []
        self.pulses_s.append(pulse.time_s)
        entry, findings = self._ledger.feed(pulse)
        self._scans.add_pulse(self._scan, pulse, entry)
        if entry.pulse == 0:
            self._scans.set_first_pulse(self._scan, pulse.time_s)
        if entry.verdict == "volume" and entry.volume is not None:
            stored = entry.volume - self._scanner.dummies
            if stored >= 0:
                self._stored.add(stored)
            self._mark(
                "volume",
                pulse.time_s,
                scan=self._scan,
                pulse=entry.pulse,
                volume=entry.volume,
                stored=stored if stored >= 0 else None,
            )
        return findings

    def _press(self, press: ButtonPress) -> None:
        event = self._answers.feed(press)
        self._scans.add_press(self._scan, self.presses, press, event)
        self.presses += 1

    @property
    def _begins(self) -> bool:
        """The first stored volume has come, or was told to be missing, just now."""
        return not self._started and self._ledger.start_known

    def _begin(self) -> None:
        start_s = self._ledger.start_s()
        assert start_s is not None  # noqa: S101  it is known
        self._started = True
        self._scans.set_start(self._scan, start_s)
        self._mark("scan_start", start_s, scan=self._scan, volumes=self._scanner.volumes)

    def _record(self, findings: Sequence[PulseFinding]) -> list[tuple[Action, PulseFinding]]:
        with self._store.transaction():
            if self._begins:
                self._begin()
            return [(self._act_on(finding), finding) for finding in findings]

    def _act_on(self, finding: PulseFinding) -> Action:
        """Record a finding, and return what the protocol wants done about it."""
        action = finding.action(self._scanner.policy)
        told = {
            "finding": finding.kind,
            "count": finding.count,
            "scan": self._scan,
            "pulse": finding.pulse,
            "volume": finding.volume,
            "words": finding.words,
        }
        self._store.add_event("pulse", finding.time_s, **told, action=action, detail=dict(finding.detail))
        # a recorder of the markers must learn that volumes it was told are in doubt
        if finding.kind != "first":
            self._mark("pulse_finding", finding.time_s, **told)
        log.log(logging.INFO if action == "note" else logging.WARNING, "%s", finding.words)
        self.last_finding = finding.words
        return action
