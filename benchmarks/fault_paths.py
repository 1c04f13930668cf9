"""Plays the fault cases in real time over real paths: simulated scanner, trigger's process, ledger."""

from __future__ import annotations

import multiprocessing
import sys
import time
from collections.abc import Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, field
from itertools import islice
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any

import numpy as np
import pylsl

from benchmarks.fault_cases import CASES, JITTER_S, Case, Heard, Outcome, Sent, judge
from benchmarks.lab import Lab, lab
from closedloop.protocol.sections.response import StreamSelection
from closedloop.protocol.sections.scan import Scanner, Trigger
from closedloop.scan.ledger import PulseLedger
from closedloop.scan.ports import Pulse, TriggerDied
from closedloop.scan.simulation import ScannerFaults
from hardware.scanner.options import ScannerOptions
from hardware.triggers import TriggerReader

# keys that every layout has, so that runs side by side on one display don't hear each other
_KEYS = tuple("0123456789abcdefghijklmnopqrstuvwxyz")
_LOOK_S = 0.01
_OPENING_AT_ONCE = 4  # each open starts two processes; more of them starve the runs that are under way


@dataclass
class _Run:
    """One run on its way."""

    case: Case
    path: str
    faults: ScannerFaults
    section: Scanner
    ledger: PulseLedger
    reader: TriggerReader
    process: Any
    pipe: Connection
    heard: Heard = field(default_factory=Heard)
    sent: list[Sent] | None = None
    over_s: float = float("inf")

    def look(self) -> bool:
        """Take in what has come; False once the run is over."""
        # read before the pulses are taken, so that none of those that wait is ever taken for missing
        now_s = pylsl.local_clock()
        events = self.reader.poll()
        heard_s = min(now_s, self.reader.heard_until_s)
        for event in events:
            if isinstance(event, TriggerDied):
                raise RuntimeError(f"{self.case.name} over {self.path}: {event.reason}")
            if isinstance(event, Pulse):
                entry, findings = self.ledger.feed(event)
                self.heard.entries.append((entry, event.time_s))
                self._note(findings)
        self._note(self.ledger.tick(heard_s))
        if self.sent is None and self.pipe.poll():
            self.sent = [Sent(*row) for row in self.pipe.recv()]
            # an early stop is told well before this, and so is a first pulse that was missed
            self.over_s = now_s + 4 * self.section.tr_s
        return now_s < self.over_s

    def outcome(self) -> Outcome:
        """Judge it."""
        self._note(self.ledger.finish(self.reader.heard_until_s))
        return judge(self.case, self.faults, self.sent or [], self.heard, self.section.tr_s)

    def tell(self, outcome: Outcome) -> None:
        """Say what happened in a run that did not go as it should."""
        print(f"\n{self.case.name} over {self.path}, {self.faults}: {outcome}", file=sys.stderr)
        zero_s = self.sent[0].time_s if self.sent else 0.0
        for finding, known_s in self.heard.findings:
            print(
                f"  {known_s - zero_s:8.3f} s {finding.kind} {finding.count}: {finding.words}",
                file=sys.stderr,
            )

    def end(self) -> None:
        """End its processes (blocks)."""
        self.reader.close()
        self.pipe.send("end")
        self.process.join()

    def _note(self, findings: Sequence[Any]) -> None:
        known_s = pylsl.local_clock()
        self.heard.findings += [(finding, known_s) for finding in findings]


def over_paths(
    cases: Sequence[Case], paths: Sequence[str], seeds: Sequence[int], tr_s: float, at_once: int
) -> dict[tuple[str, str], list[Outcome]]:
    """Run all, ``at_once`` side by side (blocks for minutes)."""
    results: dict[tuple[str, str], list[Outcome]] = {
        (case.name, path): [] for case in cases for path in paths
    }
    orders = ((case, path, seed) for case in cases for path in paths for seed in seeds)
    whole, done = len(results) * len(seeds), 0
    with lab() as here, ThreadPoolExecutor(_OPENING_AT_ONCE) as pool:
        keys = list(_KEYS)
        opening: list[tuple[Future[_Run], str]] = []
        running: list[tuple[_Run, str]] = []
        ending: list[tuple[Future[None], str]] = []
        waiting: Iterator[tuple[Case, str, int]] = orders
        while done < whole:
            free = min(at_once, len(_KEYS)) - len(opening) - len(running) - len(ending)
            for case, path, seed in islice(waiting, max(0, free)):
                key = keys.pop()
                opening.append((pool.submit(_open, here, case, path, seed, tr_s, key), key))
            for future, key in [pair for pair in opening if pair[0].done()]:
                opening.remove((future, key))
                running.append((future.result(), key))
            for over, key in [pair for pair in ending if pair[0].done()]:
                ending.remove((over, key))
                over.result()
                keys.append(key)
            for run, key in list(running):
                if run.look():
                    continue
                running.remove((run, key))
                outcome = run.outcome()
                results[run.case.name, run.path].append(outcome)
                if outcome.false_alarms or outcome.miscounted or outcome.unheard or not outcome.noticed:
                    run.tell(outcome)
                ending.append((pool.submit(run.end), key))
                done += 1
                print(f"\r{done} of {whole} runs", end="", file=sys.stderr, flush=True)
            time.sleep(_LOOK_S)
    print(file=sys.stderr)
    return results


def _open(here: Lab, case: Case, path: str, seed: int, tr_s: float, key: str) -> _Run:
    """Bring up scanner and trigger of one run (blocks), and let the scanner begin."""
    rng = np.random.default_rng((seed, CASES.index(case)))
    faults = case.draw(rng, case.volumes, tr_s)
    link = Path(here.folder) / f"serial-{key}"
    options = ScannerOptions(
        path=path,  # type: ignore[arg-type]  # one of the three, from the command line
        tr_s=tr_s,
        volumes=case.volumes,
        dummies=case.layout.dummies,
        slices=case.layout.slices,
        acquisition_s=case.layout.acquisition_s(tr_s),
        jitter_s=JITTER_S,
        faults=faults,
        seed=seed,
        start_after_s=0.5,
        key=key,
        hold_s=0.01,
        display=here.display,
        link=link if path == "serial" else None,
        stream=f"scanner-{key}",
        source_id=f"scanner-{key}",
    )
    near, far = multiprocessing.Pipe()
    context = multiprocessing.get_context("spawn")
    process = context.Process(target=play_scanner, args=(options, far), daemon=True)
    process.start()
    near.recv()  # it stands
    trigger = {
        "keyboard": Trigger(key=key),
        "serial": Trigger(path="serial", port=str(link)),
        "lsl": Trigger(path="lsl", stream=StreamSelection(source_id=f"scanner-{key}"), marker="volume"),
    }[path]
    section = case.layout.protocol(tr_s, case.volumes, trigger)
    reader = TriggerReader(trigger)
    reader.open()
    near.send("go")
    ledger = PulseLedger(section, armed_s=pylsl.local_clock())
    return _Run(case, path, faults, section, ledger, reader, process, near)


def play_scanner(options: ScannerOptions, pipe: Connection) -> None:
    """Play one run in this process, and send back when what was really sent."""
    from hardware.scanner.playing import play
    from hardware.scanner.running import output_for
    from hardware.scanner.timetable import timetable

    output, sent = output_for(options), []
    output.open()
    pipe.send("ready")
    pipe.recv()
    deeds = timetable(options, 1)
    begin_s = pylsl.local_clock() + options.start_after_s - min(0.0, deeds[0].time_s)
    play(
        deeds,
        begin_s,
        output,
        lambda deed, _due_s, at: sent.append((at.before_s, deed.kind, deed.volume)),
    )
    pipe.send(sent)
    pipe.recv()  # a port that closed would end its reader
    output.close()
