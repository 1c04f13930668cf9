"""Writes synthetic scanner sessions through the real stores and the real ledger: no rig, no waiting.

The runs of a small one-back protocol are drawn as a session draws them, a simulated scanner sends its
pulses, faults included, and each image comes on the frame that is nearest to its planned time.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import numpy as np
from ruamel.yaml import YAML
from session_factory import display_report, environment

from closedloop.ports import Marker, Shown
from closedloop.protocol.scan import ScanProtocol
from closedloop.scan.asked import right_keys
from closedloop.scan.design import draw_runs
from closedloop.scan.ledger import PulseLedger
from closedloop.scan.ports import ButtonPress, Pulse, TriggerInfo
from closedloop.scan.records import RunPlan
from closedloop.scan.simulation import ScannerFaults, pulse_times
from closedloop.scan.stimuli import load_stimuli
from closedloop.session import ImageRecord, SessionStore, TrialRecord
from closedloop.session.scan_store import ScanStore
from closedloop.session.store import utc_now

START_S = 5000.0
PERIOD_S = 1 / 60

PROTOCOL = """\
# a synthetic session in a scanner, made for tests
version: 1
kind: scan
subject: {id: Alfa, species: Homo sapiens, age: P31Y, sex: F}
notes: synthetic <b>&</b> for tests
seed: 5
display: {size_px: [1024, 768], width_cm: 40, distance_cm: 90}
scanner: {tr_s: 1.0, volumes: 40, dummies: 2, simulate: {}}
stimuli:
  size_px: [8, 8]
  conditions:
    - {name: faces, codes: 4, generator: {name: pixels, weights: null, parameters: {height_px: 8, width_px: 8}}}
    - {name: houses, codes: 4, generator: {name: pixels, weights: null, parameters: {height_px: 8, width_px: 8}}}
design:
  kind: event_related
  image_s: 0.5
  lead_in: 2.0
  isi: {draw: uniform, shortest: 1.0, longest: 2.5}
  null_share: 0.15
  repeats: 1
task: {kind: one_back, share: 0.25}
runs: {count: 2}
output: {experiment: faces}
"""


@dataclass(frozen=True)
class Attempt:
    """One arming of a run.

    Attributes:
        run: which of the protocol's, from 0.
        faults: of the scanner.
        status: how it ends; None: the program was killed.
        end_s: from the start, when it ends early; None: at its end. Below 0: before the first pulse.
        missed: places (among the images) of trials with a missed frame.
        new_program_run: the program is started anew before it.
    """

    run: int = 0
    faults: ScannerFaults = field(default_factory=ScannerFaults)
    status: str | None = "completed"
    end_s: float | None = None
    missed: tuple[int, ...] = ()
    new_program_run: bool = False


@dataclass(frozen=True)
class ScanPlan:
    """What kind of scanner session to make up."""

    attempts: Sequence[Attempt] = (Attempt(0), Attempt(1))
    protocol: str = PROTOCOL
    jitter_s: float = 0.002
    changes: Mapping[str, Any] = field(default_factory=dict)
    exit_status: str | None = "completed"


ABORTED = ScanPlan(
    (
        Attempt(0, missed=(2,)),
        Attempt(1, status="aborted", end_s=12.3, faults=ScannerFaults(drop=(6,), double=(9,))),
        Attempt(1, status="aborted", end_s=-1.0),
        Attempt(1, faults=ScannerFaults(tr_error=0.0085), new_program_run=True),
    )
)
"""The second run was aborted twice, once before its first pulse, and shown whole after a resume."""


def protocol_of(plan: ScanPlan) -> ScanProtocol:
    """Return the protocol of a plan, validated."""
    tree = YAML(typ="safe", pure=True).load(plan.protocol)
    tree.update(plan.changes)
    return ScanProtocol.model_validate_json(json.dumps(tree))


def write_scan_session(folder: Path, plan: ScanPlan | None = None) -> Path:
    """Write a session folder and return it."""
    plan = plan or ScanPlan()
    folder.mkdir(parents=True, exist_ok=True)
    _Writer(folder, plan).write()
    return folder


class _Writer:
    def __init__(self, folder: Path, plan: ScanPlan) -> None:
        self.folder, self.plan = folder, plan
        self.protocol = protocol_of(plan)
        self.rng = np.random.default_rng(3)
        self.now_s = START_S
        self.trial = 0
        self.images: dict[str, int] = {}
        meta = {
            "session": folder.name,
            "kind": "scan",
            "protocol": plan.protocol,
            "protocol_json": self.protocol.model_dump_json(),
            "seed": str(self.protocol.seed),
        }
        self.store = SessionStore.create(folder, meta=meta, environment=environment(), started_s=self.now_s)
        self.scans = ScanStore(self.store)
        self.began_utc = utc_now()

    def write(self) -> None:
        self.store.set_display({**display_report(), "period_s": PERIOD_S})
        self.store.add_thread(0, "scan", {}, {"name": "synthetic"})
        by_condition = self._add_images()
        runs = draw_runs(self.protocol, by_condition, measured=False)
        self._mark("session_start", self.now_s)
        armed: dict[int, int] = {}
        for scan, attempt in enumerate(self.plan.attempts):
            if attempt.new_program_run:
                self._start_anew()
            number = armed.get(attempt.run, 0)
            armed[attempt.run] = number + 1
            with self.store.transaction():
                self._scan(scan, number, attempt, runs[attempt.run])
        self.store.add_event("note", self.now_s, text="<script>alert(1)</script> the subject is awake")
        self._mark("session_end", self.now_s)
        if self.plan.exit_status is None:
            self.store.abandon()
        else:
            self.store.close(
                ended_s=self.now_s, exit_status=self.plan.exit_status, reason="all runs are done"
            )

    def _add_images(self) -> dict[str, list[str]]:
        stimuli = load_stimuli(self.protocol)
        for row, (name, one) in enumerate(stimuli.items()):
            self.images[name] = row
            self.store.add_images(
                [ImageRecord(row, "reference", 0, None, row, one.code, None, one.origin, name)]
            )
            self.store.set_pixels(row, one.pixels)
        return {name: list(own) for name, own in stimuli.by_condition.items()}

    def _start_anew(self) -> None:
        self.store.abandon()
        self.now_s += 20.0
        self.store = SessionStore.reopen(self.folder, environment=environment(), started_s=self.now_s)
        began = datetime.fromisoformat(self.began_utc) + timedelta(seconds=self.now_s - START_S)
        self.store.write("UPDATE runs SET started_utc = ? WHERE run = ?", (began.isoformat(), self.store.run))
        self.store.set_display({**display_report(), "period_s": PERIOD_S})
        self.scans = ScanStore(self.store)

    def _scan(self, scan: int, number: int, attempt: Attempt, plan: RunPlan) -> None:
        scanner = self.protocol.scanner
        info = TriggerInfo("keyboard", "X display :1, key 5", 0.001, 0.002, {"simulated": True})
        armed_s = self.now_s + 1.0
        self.scans.arm(scan, number, plan, self.images, info, armed_s)
        ledger = PulseLedger(scanner, armed_s)
        if attempt.end_s is not None and attempt.end_s < 0:
            self.now_s = armed_s + 4.0
            self.scans.end(scan, self.now_s, attempt.status or "", "aborted at the console", ledger.summary())
            return
        sent = pulse_times(
            scanner.tr_s, plan.volumes, scanner.dummies, self.plan.jitter_s, attempt.faults, self.rng
        )
        first_s = armed_s + 3.0
        over_s = first_s + scanner.dummies * scanner.tr_s + (attempt.end_s or plan.duration_s)
        for pulse in sent:
            time_s = first_s + pulse.time_s
            if time_s > over_s:
                break
            self._pulse(scan, ledger, Pulse(time_s, 0.001, time_s - 17.5, time_s + 0.0004, "5"))
        start_s = ledger.start_s()
        if start_s is not None and ledger.start_known:
            self._show(scan, plan, start_s, attempt, over_s)
        # after a whole run pulses are listened to on: one that is not due would come then
        self.now_s = over_s + (0.0 if attempt.end_s else 1.5 * scanner.tr_s)
        self._found(scan, ledger.finish(self.now_s))
        if attempt.status is not None:
            reason = "all of it was shown" if attempt.status == "completed" else "aborted at the console"
            self.scans.end(scan, self.now_s, attempt.status, reason, ledger.summary())

    def _pulse(self, scan: int, ledger: PulseLedger, pulse: Pulse) -> None:
        known = ledger.start_known
        findings = list(ledger.tick(pulse.time_s - 0.0005))
        entry, more = ledger.feed(pulse)
        self.scans.add_pulse(scan, pulse, entry)
        if entry.pulse == 0:
            self.scans.set_first_pulse(scan, pulse.time_s)
        self._found(scan, [*findings, *more])
        start_s = ledger.start_s()
        if ledger.start_known and not known and start_s is not None:
            self.scans.set_start(scan, start_s)
            self._mark("scan_start", start_s, scan=scan)
        if entry.volume is not None:
            self._mark("volume", pulse.time_s, scan=scan, volume=entry.volume, pulse=entry.pulse)

    def _found(self, scan: int, findings: Sequence[Any]) -> None:
        for one in findings:
            self.store.add_event(
                "pulse",
                one.time_s,
                finding=one.kind,
                count=one.count,
                scan=scan,
                pulse=one.pulse,
                volume=one.volume,
                words=one.words,
                action=one.action(self.protocol.scanner.policy),
            )

    def _show(self, scan: int, plan: RunPlan, start_s: float, attempt: Attempt, over_s: float) -> None:
        press = place = 0
        for number, event in enumerate(plan.events):
            onset_s = PERIOD_S * round((start_s + event.onset_s) / PERIOD_S) + float(self.rng.normal(0, 1e-4))
            if onset_s > over_s:
                break
            if event.kind == "image":
                self._trial(scan, number, event, onset_s, missed=int(place in attempt.missed))
                place += 1
            elif event.kind == "fixation":
                self.scans.set_fixation(scan, number, onset_s)
            if right_keys(self.protocol.task, event) and self.rng.random() < 0.8:
                time_s = onset_s + float(self.rng.uniform(0.35, 0.8))
                self.scans.add_press(scan, press, ButtonPress("1", time_s, 0.002, time_s + 0.001), number)
                press += 1
        time_s = min(start_s + 1.1, over_s)
        self.scans.add_press(scan, press, ButtonPress("1", time_s, 0.002, time_s + 0.001), None)

    def _trial(self, scan: int, number: int, event: Any, onset_s: float, missed: int) -> None:
        trial, self.trial = self.trial, self.trial + 1
        on = round(event.duration_s / PERIOD_S)
        image = self.images[event.stimulus]
        self.store.order_trial(TrialRecord(trial, 0, scan, image, 0, 0, on, 0), onset_s - 1.0)
        self.scans.set_trial(scan, number, trial)
        flips = onset_s + PERIOD_S * np.arange(on + 1)
        flips[on // 2 :] += missed * PERIOD_S
        self.store.set_shown(Shown(trial, flips, on, missed, complete=True))
        self._mark("stimulus_on", float(flips[0]), trial=trial, image=image, scan=scan, generation=scan)
        self._mark("stimulus_off", float(flips[-1]), trial=trial, image=image, scan=scan, generation=scan)
        if missed:
            self.store.reject_trial(trial, "missed-frame", "1 missed frames", float(flips[-1]) + 0.01)
        else:
            self.scans.accept_trial(trial, float(flips[-1]) + 0.01)

    def _mark(self, event: str, time_s: float, **more: Any) -> None:
        self.store.add_marker(Marker(time_s, {"event": event, "session": self.folder.name, **more}))
