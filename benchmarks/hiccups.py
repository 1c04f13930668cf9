"""How often the machine itself is late, whatever runs on it: the rival of every figure on missed frames.

Run: python -m benchmarks.hiccups [--seconds 60]

On each core a process of the highest real-time priority asks to be woken once a frame and does nothing else. No
program of this machine can hold it up. Where it wakes late all the same, the machine's host (or its firmware) had
taken the core away, and no other program can have been in time on that core either. Other benchmarks run these
watchers beside what they measure, with ``watched_machine()``.
"""

from __future__ import annotations

import argparse
import contextlib
import os
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import IO

import numpy as np
import psutil

from benchmarks.machine import headline, table
from closedloop.ports import Float64

PERIOD_S = 1 / 60
_PRIORITY = 99
_ENOUGH_WAKES = 10  # with fewer nothing was watched


@dataclass
class Machine:
    """What the watchers saw; filled when they are stopped.

    Attributes:
        late_s: how late each wake came, float64 ``(wakes,)``, one array for each core, in seconds.
        priority: whether the watchers had real-time priority.
        stolen_s: processor time that the host took meanwhile, in seconds, of all cores together.
        span_s: how long they watched.
    """

    late_s: list[Float64] = field(default_factory=list)
    priority: bool = False
    stolen_s: float = 0.0
    span_s: float = 0.0

    def lines(self) -> list[tuple[str, str]]:
        """Return the figures in words."""
        cores = os.cpu_count() or 1
        shares = [f"{np.mean(late > PERIOD_S / 2):.2%}" for late in self.late_s]
        longest = [f"{1000 * late.max():.0f}" for late in self.late_s]
        taken = self.stolen_s / (cores * self.span_s) if self.span_s else float("nan")
        told = "" if self.priority else " (WITHOUT real-time priority: other programs count, too)"
        return [
            ("bare watchers, each core: late by half a frame and more", ", ".join(shares) + told),
            ("  the latest wake, ms", ", ".join(longest)),
            (
                "  processor time that the host took",
                f"{self.stolen_s:.1f} s of {cores} x {self.span_s:.0f} s, {taken:.1%}",
            ),
        ]


def stolen_s() -> float:
    """Return the processor time that the host has taken since the machine started, in seconds; 0 where it is not told."""
    return float(getattr(psutil.cpu_times(), "steal", 0.0))


@contextlib.contextmanager
def watched_machine() -> Iterator[Machine]:
    """Watch the machine while the block runs."""
    machine = Machine()
    cores = sorted(os.sched_getaffinity(0))
    command = [sys.executable, "-m", "benchmarks.hiccups", "--watch"]
    watchers = [
        subprocess.Popen([*command, str(core)], stdin=subprocess.PIPE, stdout=subprocess.PIPE)
        for core in cores
    ]
    begun_s, taken_s = time.monotonic(), stolen_s()
    try:
        yield machine
    finally:
        machine.span_s = time.monotonic() - begun_s
        machine.stolen_s = stolen_s() - taken_s
        found = [watcher.communicate()[0] for watcher in watchers]  # the end of its input is its end
        machine.priority = all(one[:1] == b"1" for one in found)
        machine.late_s = [np.frombuffer(one[1:], dtype=np.float64) for one in found]
        if any(len(late) < _ENOUGH_WAKES for late in machine.late_s):
            raise SystemExit("the watchers of the machine saw nothing")


def _watch(core: int, until: IO[bytes], to: IO[bytes]) -> None:
    os.sched_setaffinity(0, {core})
    try:
        os.sched_setscheduler(0, os.SCHED_FIFO, os.sched_param(_PRIORITY))
        realtime = True
    except PermissionError:
        realtime = False
    os.set_blocking(until.fileno(), False)
    late_s: list[float] = []
    target_s = time.monotonic()
    while until.read(1) is None:  # b"" at its end
        target_s += PERIOD_S
        time.sleep(max(0.0, target_s - time.monotonic()))
        now_s = time.monotonic()
        late_s.append(now_s - target_s)
        target_s = max(target_s, now_s - PERIOD_S)  # what was slept through is one lateness, not many
    to.write((b"1" if realtime else b"0") + np.array(late_s, dtype=np.float64).tobytes())
    to.flush()


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--seconds", type=float, default=60.0)
    parser.add_argument("--watch", type=int, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.watch is not None:
        _watch(options.watch, sys.stdin.buffer.raw, sys.stdout.buffer)  # type: ignore[attr-defined]  # raw of a binary file
        return
    print(headline("how late a process wakes that nothing on this machine can hold up"))
    with watched_machine() as machine:
        time.sleep(options.seconds)
    print(table(machine.lines()))


if __name__ == "__main__":
    main()
