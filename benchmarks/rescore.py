"""How long it takes to score a session again: 30 generations x 50 trials x 96 channels at 1 kHz.

The session is made on the simulated rig, in virtual time, by the loop itself; so its own parameters must
give the recorded scores to the bit, and this is looked at too. About a minute.

    python -m benchmarks.rescore [--generations 30] [--folder FOLDER]
"""

from __future__ import annotations

import argparse
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path

import numpy as np

import closedloop.loop.presentation
from closedloop.loop.commands import Command
from closedloop.loop.status import Status
from closedloop.ports import Pixels
from closedloop.protocol.load import load_protocol
from closedloop.replay.recorded import read_recorded
from closedloop.replay.rescoring import rescore, with_settings, write_page
from closedloop.session import SessionReader
from experiments.prepare import make_threads
from experiments.rig import OpenedRig
from experiments.session import run_session
from hardware.clock import VirtualClock
from hardware.simulated_rig import simulated_rig

CHANNELS = 96
POLLED_EVERY_S = 0.02  # of virtual time: samples come in chunks of this length
PROTOCOL = """
subject: {id: benchmark}
seed: 1
display: {size_px: [400, 300], refresh_hz: 60}
presentation: {on_ms: 100, off_ms: 100}
threads:
  - generator: {name: pixels, weights: null, parameters: {height_px: 8, width_px: 8}}
    optimizer: {name: genetic, preset: in-vivo, parameters: {population: 45}}
    units: {combine: one, units: [0]}
response: {stream: {source_id: simulated}, kind: rates, expected_rate_hz: 1000}
references: {random_codes: 5, per_generation: 5}
"""
WAYS = (
    (),
    ("window.start_ms=70", "window.end_ms=170"),
    ("units=[0,1,2,3]", "combine=mean", "normalise=divide"),
    ("subtract_baseline=true",),
)


class _Nobody:
    """Nobody is at the rig."""

    def poll(self) -> Sequence[Command]:
        return ()

    def window_key(self, key: str, time_s: float) -> None:
        """Hear a key in the window."""

    def show(self, status: Status) -> None:
        """Be told how it goes."""


def record(folder: Path, generations: int) -> None:
    """Run a session on the simulated rig."""
    folder.mkdir(parents=True)
    path = folder.parent / "protocol.yaml"
    path.write_text(PROTOCOL, encoding="utf-8")
    loaded = load_protocol(path, [f"limits.generations={generations}"])
    threads = make_threads(loaded.protocol)
    likes = np.random.default_rng(1).random((CHANNELS, 3))

    def respond(_trial: int, image: Pixels) -> np.ndarray:
        return likes @ (image.mean((0, 1)) / 2.55)

    rig = simulated_rig(
        loaded.protocol,
        threads[0].generator.image_shape,
        VirtualClock(),
        respond,
        units=CHANNELS,
        poisson=True,
    )
    streams = rig.source.open()
    opened = OpenedRig(rig.rig, rig.stage.open(), streams)
    try:
        run_session(folder, loaded, threads, opened, _Nobody())
    finally:
        opened.close()


def main() -> None:
    """Print one line a way of scoring."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--generations", type=int, default=30)
    parser.add_argument("--folder", type=Path, default=None, help="keep the session here")
    options = parser.parse_args()
    closedloop.loop.presentation.IDLE_S = POLLED_EVERY_S
    with tempfile.TemporaryDirectory() as temporary:
        folder = (options.folder or Path(temporary)) / "session"
        if not folder.exists():
            start = time.perf_counter()
            record(folder, options.generations)
            print(f"session recorded in {time.perf_counter() - start:.1f} s")
        with SessionReader(folder) as reader:
            chunks = reader.table("chunks")
            print(
                f"{reader.path.stat().st_size / 1e6:.0f} MB, {len(reader.table('trials'))} trials,"
                f" {int(chunks['samples'].sum()):,} samples in {len(chunks):,} chunks"
            )
            print("| way of scoring | seconds | as recorded, to the bit |\n| --- | ---: | --- |")
            for way in WAYS:
                start = time.perf_counter()
                recorded = read_recorded(reader)
                rescored = rescore(recorded, with_settings(recorded.protocol, way), way)
                write_page(rescored, Path(temporary) / "rescore.html")
                took_s = time.perf_counter() - start
                print(
                    f"| {' '.join(way) or 'its own'} | {took_s:.2f} | {'yes' if rescored.equal else 'no'} |"
                )


if __name__ == "__main__":
    main()
