"""An independent witness: a process that notes each change of the photodiode patch on the screen.

It shares nothing with the session that it watches but the X server and the clock of the machine::

    python -m hardware.observer --x 20 --y 748 --out seen.npz --seconds 60

It prints ``ready`` when it samples, and writes its file at the end of the time, on SIGINT and SIGTERM, or when
the X server goes. The file (``.npz`` or ``.csv``) holds ``t_before``, ``t_after`` (LSL clock; the change lies
between), ``level`` (0 to 255) for each transition; the ``.npz`` also how well it sampled: ``samples``,
``seconds`` and ``longest_gap_s``.
"""

from __future__ import annotations

import argparse
import signal
import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import pylsl

from closedloop.errors import ClosedLoopError, NoDisplayError
from hardware.photodiode import EdgeDetector, PatchSampler, Transition


@dataclass
class Observation:
    """What was seen, and how well it was looked."""

    transitions: list[Transition] = field(default_factory=list)
    samples: int = 0
    seconds: float = 0.0
    longest_gap_s: float = 0.0

    def write(self, path: Path) -> None:
        """Write to ``.csv`` or, with any other ending, ``.npz``; whole or not at all."""
        table = np.array([(t.before_s, t.after_s, t.level) for t in self.transitions]).reshape(-1, 3)
        part = path.with_name(path.name + ".part")
        with part.open("wb") as file:
            if path.suffix == ".csv":
                np.savetxt(file, table, "%.6f", delimiter=",", header="t_before,t_after,level", comments="")
            else:
                np.savez(
                    file,
                    t_before=table[:, 0],
                    t_after=table[:, 1],
                    level=table[:, 2],
                    samples=self.samples,
                    seconds=self.seconds,
                    longest_gap_s=self.longest_gap_s,
                )
        part.replace(path)


def observe(
    sampler: PatchSampler, seconds: float, rate_hz: float, stopped: Callable[[], bool] = lambda: False
) -> Observation:
    """Sample for a time (blocks) or until ``stopped()``, or until the X server goes."""
    seen, edges = Observation(), EdgeDetector()
    start_s = last_s = pylsl.local_clock()
    while last_s - start_s < seconds and not stopped():
        try:
            sample = sampler.sample()
        except NoDisplayError:
            break
        if (transition := edges.feed(sample)) is not None:
            seen.transitions.append(transition)
        seen.samples += 1
        if seen.samples > 1:
            seen.longest_gap_s = max(seen.longest_gap_s, sample.after_s - last_s)
        last_s = sample.after_s
        # sleeping takes about 0.07 ms longer than asked, which the allowance pays for
        pause_s = 1 / rate_hz - (sample.after_s - sample.before_s) - 0.07e-3
        if pause_s > 0:
            time.sleep(pause_s)
    seen.seconds = pylsl.local_clock() - start_s
    return seen


def main(argv: Sequence[str] | None = None) -> int:
    """Run the observer from the command line; see the module's text."""
    parser = argparse.ArgumentParser(
        prog="python -m hardware.observer", description=(__doc__ or "").split("\n")[0]
    )
    parser.add_argument("--x", type=int, required=True, help="column of the patch's pixel on the screen")
    parser.add_argument("--y", type=int, required=True, help="its row, from the top")
    parser.add_argument("--out", type=Path, required=True, help=".npz or .csv")
    parser.add_argument("--seconds", type=float, required=True)
    parser.add_argument("--rate-hz", type=float, default=4000.0, help="samples a second (default 4000)")
    parser.add_argument("--display", default=None, help="X display (default: DISPLAY)")
    options = parser.parse_args(argv)
    asked_to_stop: list[int] = []
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda received, _frame: asked_to_stop.append(received))
    try:
        with PatchSampler(options.x, options.y, options.display) as sampler:
            print("ready", flush=True)  # noqa: T201 - the line that whoever starts us waits for
            seen = observe(sampler, options.seconds, options.rate_hz, lambda: bool(asked_to_stop))
    except ClosedLoopError as error:
        print(error, file=sys.stderr)  # noqa: T201 - a command's message
        return error.exit_code
    seen.write(options.out)
    return 0


if __name__ == "__main__":
    sys.exit(main())
