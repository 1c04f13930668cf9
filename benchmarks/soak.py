"""A session worth two hours, on the simulated rig: does it grow, does it slow down?

Run with `python -m benchmarks.soak [GENERATIONS]`. Half of the trials are invalid (missed frames). Prints
memory and time per trial of the first and the last tenth of the session, and the machine.
"""

from __future__ import annotations

import os
import platform
import sys
import tempfile
import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import psutil
from rich.console import Console
from rich.table import Table

from closedloop.loop.commands import Command
from closedloop.loop.status import Status
from closedloop.ports import Pixels
from closedloop.protocol.load import load_protocol
from closedloop.session import SessionReader
from experiments.prepare import make_threads
from experiments.rig import OpenedRig
from experiments.session import run_session
from hardware.clock import VirtualClock
from hardware.simulated_rig import simulated_rig

PROTOCOL = """
subject: {id: soak}
seed: 1
display: {size_px: [400, 300], refresh_hz: 60}
presentation: {on_ms: 100, off_ms: 100}
threads:
  - generator: {name: pixels, parameters: {height_px: 16, width_px: 16}}
    optimizer: {name: genetic, preset: in-vivo, parameters: {population: 36}}
response:
  stream: {source_id: simulated}
  kind: rates
  expected_rate_hz: 1000
references: {random_codes: 4, per_generation: 4}
limits: {generations: 500, max_repeats: 100}
"""
# of 12 flips a trial one or more is missed with a probability of one half
MISSED = 1 - 0.5 ** (1 / 12)


class CoarseClock(VirtualClock):
    """A virtual clock that sleeps at least 4 ms: fewer empty turns of the loop, the same session."""

    def sleep(self, seconds: float) -> None:
        """Move on."""
        super().sleep(max(seconds, 0.004))


@dataclass
class Watcher:
    """Nobody at the rig, but somebody who measures now and then."""

    every: int
    rows: list[tuple[int, float, float, float]] = field(default_factory=list)

    def poll(self) -> Sequence[Command]:
        """Nothing is asked for."""
        return ()

    def window_key(self, key: str, time_s: float) -> None:
        """No window, no keys."""

    def show(self, status: Status) -> None:
        """Note trials, wall-clock seconds, resident megabytes and seconds of processor time."""
        if not self.rows or status.trials_done >= self.rows[-1][0] + self.every:
            memory_mb = psutil.Process().memory_info().rss / 1e6
            self.rows.append((status.trials_done, time.perf_counter(), memory_mb, time.process_time()))


def brightness(trial: int, image: Pixels) -> np.ndarray:  # noqa: ARG001 - the simulator hands over both
    """A unit that likes bright pictures."""
    return np.array([image.mean() / 2.55])


def run(generations: int, folder: Path) -> Watcher:
    """Run the session and return what was measured."""
    path = folder / "soak.yaml"
    path.write_text(PROTOCOL, encoding="utf-8")
    loaded = load_protocol(path, [f"limits.generations={generations}"])
    threads = make_threads(loaded.protocol)
    clock = CoarseClock()
    simulated = simulated_rig(
        loaded.protocol, threads[0].generator.image_shape, clock, brightness, missed_frames=MISSED
    )
    streams = simulated.source.open()
    opened = OpenedRig(simulated.rig, simulated.stage.open(), streams)
    simulated.rig.markers.sent = _Forgetful()  # type: ignore[attr-defined] # its list is not the session's
    watcher = Watcher(every=generations * 80 // 200)
    session = folder / "session"
    session.mkdir()
    try:
        run_session(session, loaded, threads, opened, watcher)
    finally:
        opened.close()
    return watcher


class _Forgetful(list):  # type: ignore[type-arg] # of markers
    def append(self, _item: object) -> None:
        """Drop it."""


def main() -> None:
    """Print the table."""
    generations = int(sys.argv[1]) if len(sys.argv) > 1 else 500
    with tempfile.TemporaryDirectory(prefix="soak-") as name:
        watcher = run(generations, Path(name))
        with SessionReader(Path(name) / "session") as reader:
            trials = reader.table("trials")
            size_mb = reader.path.stat().st_size / 1e6
    rows = np.array(watcher.rows)
    tenth = max(2, len(rows) // 10)
    first, last = rows[1 : tenth + 1], rows[-tenth:]
    table = Table(
        title=f"{generations} generations, {len(trials)} trials, {np.mean(trials.status == 'invalid'):.0%} invalid"
    )
    for column in ("", "first tenth", "last tenth", "change"):
        table.add_column(column)
    # other programs and the machine's host change how long a trial takes, but hardly what it costs the processor
    for name, column in (("ms per trial, by the wall's clock", 1), ("ms per trial, of the processor", 3)):
        was, now = (
            1000 * np.diff(part[:, column]).sum() / np.diff(part[:, 0]).sum() for part in (first, last)
        )
        table.add_row(name, f"{was:.2f}", f"{now:.2f}", f"{now / was - 1:+.1%}")
    memory = first[0, 2], last[-1, 2]
    table.add_row("resident MB", f"{memory[0]:.0f}", f"{memory[1]:.0f}", f"{memory[1] - memory[0]:+.0f} MB")
    console = Console()
    console.print(table)
    console.print(
        f"session file {size_mb:.0f} MB, virtual hours {trials.onset_s.max() / 3600 - 1000 / 3600:.1f}"
    )
    console.print(
        f"{platform.platform()}, {os.cpu_count()} cores, Python {platform.python_version()}", highlight=False
    )


if __name__ == "__main__":
    main()
