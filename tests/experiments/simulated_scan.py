"""Whole scan sessions on the simulated rig, in virtual time: the same run loop, no device, no process."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from closedloop.loop.commands import Command, CommandKind
from closedloop.protocol.load import LoadedScan, load_scan
from closedloop.scan.conductor import ScanOutcome
from closedloop.scan.design import draw_runs
from closedloop.scan.records import RunPlan
from closedloop.scan.simulation import ScannerFaults, pulse_times
from closedloop.scan.status import ScanStatus
from closedloop.scan.stimuli import load_stimuli
from closedloop.session.database import FILE_NAME, is_blank
from experiments.scan_repeats import Wishes
from experiments.scan_resume import ScanResumption, read_scan_session
from experiments.scan_session import GoingOn, OpenedScanRig, ScanWork, run_scan_session
from hardware.clock import VirtualClock
from hardware.simulated_rig import SimulatedMarkers
from hardware.stage import SimulatedStage
from hardware.triggers import SimulatedTrigger

PROTOCOL = """
kind: scan
subject: {id: tester}
seed: 5
display: {size_px: [400, 300], refresh_hz: 60}
scanner: {tr_s: 1.0, volumes: 12, dummies: 1, trigger: {path: keyboard, key: "5"}}
stimuli:
  size_deg: 4
  conditions:
    - {name: squares, codes: 4, generator: {name: pixels, weights: null, parameters: {height_px: 4, width_px: 4}}}
design: {kind: event_related, image_s: 0.3, lead_in: 0.5, isi: {draw: uniform, shortest: 0.3, longest: 1.1}, repeats: 2}
task: {kind: one_back, keys: ["1"], share: 0.3}
runs: {count: 2}
"""

# a run of a few images, for tests that are about what comes after it
SHORT = (
    "scanner.volumes=4",
    "scanner.dummies=0",
    "design={kind: event_related, image_s: 0.2, lead_in: 0.3, isi: {draw: fixed, mean: 0.3}}",
    "task=null",
)


class HastyClock(VirtualClock):
    """A virtual clock that waits in strides: most of a run is waiting."""

    def sleep(self, seconds: float) -> None:
        super().sleep(max(seconds, 0.005))


@dataclass
class Nobody:
    """Nobody at the console, unless a script says otherwise: called at each poll, it returns commands."""

    script: Callable[[], Sequence[Command]] = field(default=tuple)
    present: bool = False
    statuses: list[ScanStatus] = field(default_factory=list)

    def poll(self) -> Sequence[Command]:
        return self.script()

    def window_key(self, key: str, time_s: float) -> None:
        raise AssertionError(key)

    def show(self, status: ScanStatus) -> None:
        self.statuses.append(status)


@dataclass
class SimulatedScan:
    """A scan session that is ready to run.

    Attributes:
        faults: of the scanner in each run that is armed, in order; the last one again for those after.
        answer_s: the simulated subject answers each event that asks so long after it; None: never.
    """

    folder: Path
    work: ScanWork
    clock: VirtualClock
    stage: SimulatedStage
    trigger: SimulatedTrigger
    markers: SimulatedMarkers
    operator: Nobody
    going_on: GoingOn | None = None
    faults: Sequence[ScannerFaults] = (ScannerFaults(),)
    jitter_s: float = 0.0
    presses: Callable[[RunPlan], Iterable[tuple[float, str]]] = lambda _plan: ()
    armed: list[str] = field(default_factory=list)

    def run(self) -> ScanOutcome:
        info = self.trigger.open()
        opened = OpenedScanRig(
            self.clock,
            self.stage,
            self.trigger,
            self.markers,
            self.stage.open(),
            info,
            armed=self._arm,
            disarmed=self.trigger.stop,
        )
        try:
            return run_scan_session(self.folder, self.work, opened, self.operator, going_on=self.going_on)
        finally:
            self.stage.close()

    def at_console(self, *wishes: tuple[float, CommandKind]) -> None:
        """Somebody is there, and wants these things so long after the session's start."""
        left = list(wishes)

        def script() -> Sequence[Command]:
            now_s = self.clock.now()
            due = [wish for wish in left if 1000.0 + wish[0] <= now_s]
            del left[: len(due)]
            return [Command(kind, now_s, "terminal") for _, kind in due]

        self.operator.script = script
        self.operator.present = True

    def _arm(self, plan: RunPlan, scan: int) -> None:
        scanner = self.work.loaded.protocol.scanner
        faults = self.faults[min(len(self.armed), len(self.faults) - 1)]
        self.armed.append(plan.label)
        pulses = pulse_times(
            scanner.tr_s,
            plan.volumes,
            scanner.dummies,
            self.jitter_s,
            faults,
            np.random.default_rng(scan),
            slices=scanner.slices,
            acquisition_s=scanner.acquisition_s,
        )
        first_volume_s = scanner.dummies * scanner.tr_s
        presses = [(first_volume_s + time_s, key) for time_s, key in self.presses(plan)]
        self.trigger.play([pulse.time_s for pulse in pulses], presses, start_s=self.clock.now() + 0.51)


def load(folder: Path, *overrides: str, text: str = PROTOCOL) -> LoadedScan:
    path = folder.parent / f"{folder.name}.yaml"
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text, encoding="utf-8")
    return load_scan(path, overrides)


def work_of(loaded: LoadedScan) -> ScanWork:
    stimuli = load_stimuli(loaded.protocol)
    return ScanWork(loaded, stimuli, draw_runs(loaded.protocol, stimuli.by_condition, measured=False))


def prepare_scan(
    folder: Path, *overrides: str, missed_frames: float = 0.0, clock: VirtualClock | None = None
) -> SimulatedScan:
    """Make a session folder, and a rig to run the session on."""
    folder.mkdir(parents=True)
    return ready(folder, work_of(load(folder, *overrides)), missed_frames=missed_frames, clock=clock)


def ready(
    folder: Path,
    work: ScanWork,
    *,
    missed_frames: float = 0.0,
    clock: VirtualClock | None = None,
    going_on: GoingOn | None = None,
) -> SimulatedScan:
    clock = clock or HastyClock(start_s=1000.0)
    display = work.loaded.protocol.display
    stage = SimulatedStage(clock, display, work.stimuli.image_shape, missed_frames=missed_frames)
    trigger = SimulatedTrigger(clock)
    return SimulatedScan(folder, work, clock, stage, trigger, SimulatedMarkers(), Nobody(), going_on)


def resume_simulated(
    folder: Path,
    *overrides: str,
    accept_changes: bool = False,
    repeat: Sequence[str] = (),
    no_repeat: Sequence[str] = (),
) -> SimulatedScan:
    """Get a session ready to go on, on a rig of its own; one of which nothing is recorded begins anew."""
    file = folder / FILE_NAME
    if not file.exists() or is_blank(file):
        return ready(folder, work_of(load_scan(folder / "protocol.yaml", overrides)))
    wishes = Wishes(repeat, no_repeat)
    resumption = ScanResumption(read_scan_session(folder), overrides, accept_changes, wishes)
    session = ready(folder, resumption.work)
    display = SimulatedStage(VirtualClock(), session.work.loaded.protocol.display, (4, 4, 3)).open()
    info = SimulatedTrigger(VirtualClock()).open()
    opened = OpenedScanRig(session.clock, session.stage, session.trigger, session.markers, display, info)
    session.going_on = resumption.going_on(opened)
    return session
