"""Does an evolution in the scanner rise? The real session against a simulated region that looks at the screen.

Run: python -m benchmarks.region_evolution [--seeds 3] [--controls 1] [--generations 15] [--speed 20]

``protocols/rig_bold.yaml`` is run from the command line, with a process each for stage, streams and loop, on
a virtual display, against ``closedloop simulate region``: MobileNetV2's neurons, SPM's double gamma, AR(1) noise,
drift, and a pipeline's delay. All times of both, TR, trial, blood and noise, are divided by ``--speed``: what
takes an hour in a scanner then takes three minutes, and nothing that this prints is a real time. ``--speed 1``
is the scanner's own.

``signal`` is the mean response to the evolved pictures in percent signal change, as heard; ``drive`` is by how
many spikes/s these pictures drive the region's neurons above rest, by the network and without noise.
"""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np

from benchmarks.lab import SIZE_PX, Lab, lab
from benchmarks.machine import headline
from benchmarks.sessions import ROOT, START_S, Program, Session, mean_responses, settings
from closedloop.models import resolve
from closedloop.ports import Float64
from closedloop.protocol.load import load_protocol
from closedloop.session import SessionReader
from experiments.demo import subject_arguments
from hardware.region import RegionOptions
from hardware.subject.neurons import Neurons

PROTOCOL = ROOT / "protocols" / "rig_bold.yaml"
EDGE = 2  # generations that are taken together at either end


def changes(speed: float, seed: int, generations: int) -> list[str]:
    """Return what is changed of the protocol, to run it here and so many times faster."""
    return [
        f"display.size_px=[{SIZE_PX[0]}, {SIZE_PX[1]}]",
        "display.screen=0",
        "display.full_screen=false",
        "display.photodiode.size_px=40",
        f"presentation.on_ms={2000 / speed}",
        f"presentation.off_ms={10000 / speed}",
        "response.stream.source_id=closedloop-simulated-region",
        "response.expected_channels=1",
        f"response.volumes.tr_s={2 / speed}",
        f"response.volumes.delay_s={3 / speed}",
        f"response.volumes.speed={speed}",
        f"response.wait_ms={max(500, 2000 / speed)}",
        f"limits.generations={generations}",
        f"seed={seed}",
    ]


@contextmanager
def region(place: Lab, log: Path, changed: list[str], speed: float, seed: int) -> Iterator[Program]:
    """Run the simulated region in front of the session's window, ready."""
    words = subject_arguments(load_protocol(PROTOCOL, changed).protocol)
    where = dict(zip(words[::2], words[1::2], strict=True))
    command = [
        "simulate", "region",
        "--patch", f"{where['--patch-x']},{where['--patch-y']}",
        "--picture", where["--picture"],
        "--tr", str(2 / speed), "--speed", str(speed),
        "--delay", str(1 / speed), "--delay-jitter", str(0.5 / speed),
        "--seed", str(seed),
    ]  # fmt: skip
    with Program(command, log, place.environment) as program:
        until_s = time.monotonic() + START_S
        while "ready" not in program.told:
            if program.process.poll() is not None or time.monotonic() > until_s:
                raise AssertionError(f"the simulated region does not start: {program.told}")
            time.sleep(0.05)
        yield program


def drives(folder: Path, neurons: Neurons) -> Float64:
    """Return the mean drive of each generation's evolved pictures, ``(generations,)``, spikes/s above rest."""
    rest_hz = RegionOptions().subject.firing.baseline_hz
    with SessionReader(folder) as reader:
        images = reader.table("images")
        evolved = images[
            (images.kind == "evolved") & images.generation.isin(reader.table("scores").generation)
        ]
        pictures = [reader.pixels(int(image)) for image in evolved.image]
    seen = [picture for picture in pictures if picture is not None]
    drive = np.concatenate(
        [neurons.look_many(seen[k : k + 20]).mean(axis=1) for k in range(0, len(seen), 20)]
    )
    mean = evolved.assign(drive=drive - rest_hz).groupby("generation").drive.mean()
    return np.asarray(mean, dtype=np.float64)


def run_shuffled(changed: list[str], out: Path, place: Lab) -> Path:
    """Run the control, which ``closedloop run`` has not: the stage shows other pictures than the loop believes."""
    code = (
        "import sys; from pathlib import Path; from experiments.evolution import run_evolution; "
        "run_evolution(Path(sys.argv[1]), out=Path(sys.argv[2]), overrides=sys.argv[3:], control='shuffled')"
    )
    words = [sys.executable, "-c", code, str(PROTOCOL), str(out), *changed]
    with out.with_name(f"{out.name}.txt").open("wb") as log:
        subprocess.run(
            words,
            cwd=ROOT,
            env=os.environ | place.environment,
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=log,
            check=True,
        )
    (folder,) = out.iterdir()
    return folder


def measure(
    place: Lab, seed: int, generations: int, speed: float, shuffled: bool, neurons: Neurons
) -> tuple[str, str]:
    """Run one session; return its row, and the course of its drives."""
    changed = changes(speed, seed, generations)
    words = ["run", str(PROTOCOL), *settings(*changed)]
    name = f"{'control' if shuffled else 'seed'}-{seed}"
    begun_s = time.monotonic()
    with region(place, place.folder / f"{name}-region.txt", changed, speed, seed):
        if shuffled:
            folder = run_shuffled(changed, place.folder / name, place)
        else:
            with Session(words, place.folder / name, place.environment) as session:
                code = session.wait(START_S + 3 * generations * 20 * 12 / speed)
                folder = session.folder
            if code:
                return f"  {name:12} ended with {code}: {session.told[-400:]}", ""
    signal, drive = mean_responses(folder), drives(folder, neurons)
    with SessionReader(folder) as reader:
        trials = reader.table("trials")
    row = f"  {name:12}"
    for course, width in ((signal, 2), (drive, 1)):
        row += f"{course[:EDGE].mean():9.{width}f}{course[-EDGE:].mean():8.{width}f}"
    row += f"{drive[-EDGE:].mean() / drive[:EDGE].mean():14.2f}{len(trials):8}"
    row += f"{(trials.status == 'invalid').sum():9}{time.monotonic() - begun_s:8.0f}"
    return row, f"  {name:12}" + " ".join(f"{value:.0f}" for value in drive)


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--seeds", type=int, default=3, help="how many, from 1 on")
    parser.add_argument(
        "--controls", type=int, default=1, help="how many of them again with shuffled pictures"
    )
    parser.add_argument("--generations", type=int, default=15)
    parser.add_argument("--speed", type=float, default=20.0, help="how many times faster than in a scanner")
    options = parser.parse_args()
    faster = f"compressed {options.speed:g} times" if options.speed != 1 else "in real time"
    print(headline(f"evolution for a simulated region over {options.generations} generations, {faster}"))
    print("                signal, %         drive, /s       drive")
    print(
        f"             first {EDGE}  last {EDGE}  first {EDGE}  last {EDGE}  last / first  trials  invalid       s"
    )
    defaults = RegionOptions()
    neurons = Neurons(resolve("mobilenet-v2", None), defaults.subject.layer, defaults.regions[0])
    courses = []
    with lab() as place:
        for shuffled, seeds in ((False, options.seeds), (True, options.controls)):
            for seed in range(1, seeds + 1):
                row, course = measure(place, seed, options.generations, options.speed, shuffled, neurons)
                courses.append(course)
                print(row, flush=True)
    print("drive in each generation, /s:")
    print("\n".join(courses))


if __name__ == "__main__":
    main()
