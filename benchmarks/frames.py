"""Share of missed frames while the rest of the machine works.

Run: python -m benchmarks.frames [--frames 36000] [--load none] [--load render,ingest]

The stage shows trials of 6 frames on and 6 off, back to back, with a new image uploaded for each, and every
flip is looked at. Loads run beside it, as processes of ordinary priority:

    none    nothing
    render  the default generator renders 4 images after another, without a pause
    ingest  1,024 channels at 1 kHz over LSL into the ingest process (see benchmarks/ingest.py)
    busy    two processes that count, a worst case for two cores

Without a screen it brings up a virtual display, whose server then is part of what is measured.
"""

from __future__ import annotations

import argparse
import contextlib
import os
import platform
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import IO

import numpy as np
import psutil

from benchmarks.hiccups import watched_machine
from benchmarks.machine import table
from closedloop.ports import DisplayReport, Float64, Showing, Shown, StageClosed
from closedloop.protocol.models import Display, Presentation
from hardware.clock import LslClock
from hardware.display import has_display, virtual_display
from hardware.stage import PsychopyStage

ON, OFF = 6, 6
SLOTS = 32
SHAPE = (64, 64, 3)

RENDER = """
import numpy as np
from closedloop.generators import make_generator
generator = make_generator("dcgan", "dcgan-faces", device="cpu")
rng = np.random.default_rng(0)
while True:
    generator.render(rng.standard_normal((4, generator.code_length)).astype(np.float32))
"""

LOADS: dict[str, list[list[str]]] = {
    "none": [],
    "render": [[sys.executable, "-c", RENDER]],
    "ingest": [[sys.executable, str(Path(__file__).with_name("ingest.py")), "--seconds", "1000000"]],
    "busy": [[sys.executable, "-c", "while True: pass"]] * 2,
}


@dataclass(frozen=True)
class Result:
    """Figures of one run."""

    report: DisplayReport
    trials: int
    frames: int
    missed: int
    trials_hit: int
    intervals_s: Float64
    stage_cpu: float

    def table(self) -> str:
        """Return the figures as lines."""
        dt_ms = self.intervals_s * 1e3
        low, median, high = np.percentile(dt_ms, [0.1, 50, 99.9])
        rows = [
            ("display", f"{self.report.details['renderer']}, paced by {self.report.paced_by}"),
            ("priority of the stage", str(self.report.details["priority"])),
            ("frames, trials", f"{self.frames}, {self.trials}"),
            ("missed frames", f"{self.missed} ({self.missed / self.frames:.4%}) in {self.trials_hit} trials"),
            ("interval ms (0.1, 50, 99.9 %, max)", f"{low:.2f}, {median:.2f}, {high:.2f}, {dt_ms.max():.2f}"),
            ("CPU of the stage", f"{self.stage_cpu:.0%} of a core"),
        ]
        return "\n".join(f"  {name:58}{value}" for name, value in rows)


def run(frames: int, wait: Callable[[], None] = lambda: None) -> Result:
    """Show trials until so many frames are over (blocks).

    Args:
        frames: at least so many are shown, in whole trials.
        wait: called while polling; a hook for more work in this process.
    """
    stage, clock = PsychopyStage(Display(), Presentation(), SHAPE, SLOTS), LslClock()
    report = stage.open()
    try:
        trials = -(-frames // (ON + OFF))
        process = psutil.Process(report.details["pid"])
        cpu_before, start_s = sum(process.cpu_times()[:2]), clock.now()
        shown = _show(stage, trials, wait)
        cpu = (sum(process.cpu_times()[:2]) - cpu_before) / (clock.now() - start_s)
    finally:
        stage.close()
    return Result(
        report=report,
        trials=len(shown),
        frames=len(shown) * (ON + OFF),
        missed=sum(s.missed for s in shown),
        trials_hit=sum(s.missed > 0 for s in shown),
        intervals_s=np.concatenate([np.diff(s.flips_s) for s in shown]),
        stage_cpu=cpu,
    )


def _show(stage: PsychopyStage, trials: int, wait: Callable[[], None]) -> list[Shown]:
    rng = np.random.default_rng(0)
    pictures = rng.integers(0, 256, (100, *SHAPE), dtype=np.uint8)
    shown: list[Shown] = []
    ordered = 0
    while len(shown) < trials:
        while ordered < trials and ordered - len(shown) < SLOTS:
            stage.load(ordered % SLOTS, pictures[ordered % len(pictures)])
            stage.show(Showing(ordered, ordered % SLOTS, ON, OFF, (0.0, 0.0), (3.0, 3.0)))
            ordered += 1
        for event in stage.poll():
            if isinstance(event, Shown):
                shown.append(event)
            elif isinstance(event, StageClosed):
                raise SystemExit(f"the stage ended: {event.reason}")
        wait()
        time.sleep(0.005)
    return shown


@contextlib.contextmanager
def loaded(names: Sequence[str]) -> Iterator[None]:
    """Run the loads of these names meanwhile."""
    root = str(Path(__file__).parents[1])
    environment = os.environ | {"PYTHONPATH": root}
    with contextlib.ExitStack() as stack:
        for name in names:
            for command in LOADS[name]:
                log = stack.enter_context(tempfile.TemporaryFile("w+"))
                process = subprocess.Popen(command, stdout=log, stderr=log, cwd=root, env=environment)
                stack.callback(_end, process, name, log)
        time.sleep(5.0 if names != ["none"] else 0.0)  # until they work
        yield


def _end(process: subprocess.Popen[bytes], name: str, log: IO[str]) -> None:
    if process.poll() is not None:
        log.seek(0)
        print(f"  WARNING: the load '{name}' ended early: {log.read()[-500:]}")
    for child in [*psutil.Process(process.pid).children(recursive=True)] if process.poll() is None else []:
        with contextlib.suppress(psutil.NoSuchProcess):
            child.kill()
    process.kill()
    process.wait()


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n")[0])
    parser.add_argument("--frames", type=int, default=36_000)
    parser.add_argument("--load", action="append", help=f"of {', '.join(LOADS)}; several joined by commas")
    options = parser.parse_args()
    print(f"{platform.processor() or platform.machine()}, {os.cpu_count()} cores, {platform.system()}")
    with contextlib.ExitStack() as stack:
        if not has_display():
            stack.enter_context(virtual_display())
        for load in options.load or ["none", "render", "busy"]:
            names = load.split(",")
            print(f"load: {load} (1 min average before: {os.getloadavg()[0]:.1f})", flush=True)
            with loaded(names):
                with watched_machine() as machine:
                    result = run(options.frames)
                print(result.table(), table(machine.lines()), sep="\n", flush=True)


if __name__ == "__main__":
    main()
