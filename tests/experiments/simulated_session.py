"""Whole sessions on the simulated rig, in virtual time: the same loop, no device, no process."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

import numpy as np

from closedloop.loop.commands import Command
from closedloop.loop.evolution import Outcome
from closedloop.loop.status import Status
from closedloop.loop.threads import EvolutionThread
from closedloop.ports import Pixels
from closedloop.protocol.load import LoadedProtocol, load_protocol
from closedloop.session.database import FILE_NAME, is_blank
from experiments.prepare import make_threads
from experiments.recorded import read_session
from experiments.resume import Resumption
from experiments.rig import OpenedRig
from experiments.session import Past, run_session
from hardware.clock import VirtualClock
from hardware.simulated_rig import SimulatedRig, simulated_rig
from hardware.stage import ShuffledStage

PROTOCOL = """
subject: {id: tester}
seed: 11
display: {size_px: [400, 300], refresh_hz: 60}
presentation: {on_ms: 100, off_ms: 100}
threads:
  - name: evolution
    generator: {name: pixels, weights: null, parameters: {height_px: 4, width_px: 4}}
    optimizer: {name: genetic, preset: in-vivo, parameters: {population: 12, n_conserve: 3}}
    units: {combine: one, units: [0]}
response:
  stream: {source_id: simulated}
  kind: rates
  expected_rate_hz: 1000
references: {random_codes: 2, per_generation: 2}
limits: {generations: 3}
"""


def brightness(trial: int, image: Pixels) -> np.ndarray:
    """A unit that likes bright pictures: 0 to 100 spikes/s."""
    return np.array([image.mean() / 2.55])


@dataclass
class QuietOperator:
    """Nobody at the rig, unless a script says otherwise: called at each poll, it returns commands."""

    script: Callable[[], Sequence[Command]] = field(default=tuple)
    statuses: list[Status] = field(default_factory=list)
    keys: list[str] = field(default_factory=list)

    def poll(self) -> Sequence[Command]:
        return self.script()

    def window_key(self, key: str, time_s: float) -> None:
        self.keys.append(key)

    def show(self, status: Status) -> None:
        self.statuses.append(status)


@dataclass
class Simulated:
    """A session that is ready to run."""

    folder: Path
    clock: VirtualClock
    rig: SimulatedRig
    run: Callable[[], Outcome]
    operator: QuietOperator


def prepare(
    folder: Path,
    *overrides: str,
    respond: Callable[[int, Pixels], np.ndarray] = brightness,
    units: int = 1,
    missed_frames: float = 0.0,
    poisson: bool = False,
    clock: VirtualClock | None = None,
    control: str | None = None,
) -> Simulated:
    """Make a session folder with its protocol, and a rig to run it on, or a control of one."""
    folder.mkdir(parents=True)
    path = folder.parent / f"{folder.name}.yaml"
    path.write_text(PROTOCOL, encoding="utf-8")
    loaded = load_protocol(path, overrides)
    threads = make_threads(loaded.protocol)
    return _ready(
        folder, loaded, threads, None, clock, respond, units, missed_frames, poisson, control=control
    )


def resume(
    folder: Path,
    *overrides: str,
    accept_changes: bool = False,
    respond: Callable[[int, Pixels], np.ndarray] = brightness,
    units: int = 1,
    missed_frames: float = 0.0,
    poisson: bool = False,
    clock: VirtualClock | None = None,
) -> Simulated:
    """Get a session ready to go on, on a rig of its own; one of which nothing is recorded begins anew."""
    file = folder / FILE_NAME
    if not file.exists() or is_blank(file):
        loaded = load_protocol(folder / "protocol.yaml", overrides)
        threads = make_threads(loaded.protocol)
        return _ready(folder, loaded, threads, None, clock, respond, units, missed_frames, poisson)
    resumption = Resumption(read_session(folder), overrides, accept_changes)
    return _ready(
        folder,
        resumption.loaded,
        resumption.threads,
        resumption.past,
        clock,
        respond,
        units,
        missed_frames,
        poisson,
    )


def _ready(
    folder: Path,
    loaded: LoadedProtocol,
    threads: list[EvolutionThread],
    past_of: Callable[[OpenedRig], Past] | None,
    clock: VirtualClock | None,
    respond: Callable[[int, Pixels], np.ndarray],
    units: int,
    missed_frames: float,
    poisson: bool,
    control: str | None = None,
) -> Simulated:
    clock = clock or VirtualClock(start_s=1000.0, stride_s=0.004)
    rig = simulated_rig(
        loaded.protocol,
        threads[0].generator.image_shape,
        clock,
        respond,
        units=units,
        missed_frames=missed_frames,
        poisson=poisson,
    )
    devices = rig.rig
    if control is not None:
        devices = replace(devices, stage=ShuffledStage(rig.stage, loaded.protocol.seed))
    operator = QuietOperator()

    def run() -> Outcome:
        streams = rig.source.open()
        opened = OpenedRig(devices, devices.stage.open(), streams)
        try:
            past = None if past_of is None else past_of(opened)
            return run_session(folder, loaded, threads, opened, operator, past=past)
        finally:
            opened.close()

    return Simulated(folder, clock, rig, run, operator)
