"""What it is worth to keep the machine's cores awake: late wakes with them awake and as they are, in turn.

Run: python -m benchmarks.awake_cores [--turns 12] [--seconds 6]                   (Linux; about 3 minutes)

On each core one process works a quarter of each frame, as a stage does, and a bare watcher of the highest priority
(``benchmarks.hiccups``) wakes once a frame. Every other turn ``hardware.wakefulness`` keeps the cores awake meanwhile.
"""

from __future__ import annotations

import argparse
import multiprocessing
import time
from multiprocessing.synchronize import Event

import numpy as np

from benchmarks.hiccups import PERIOD_S, Machine, watched_machine
from benchmarks.machine import headline, table
from hardware.wakefulness import AwakeCores

_WORK_S = PERIOD_S / 4


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--turns", type=int, default=12, help="of each kind")
    parser.add_argument("--seconds", type=float, default=6.0, help="of a turn")
    options = parser.parse_args()
    print(headline("how late a process wakes that nothing on this machine can hold up"))
    found: dict[str, list[Machine]] = {}
    for _ in range(options.turns):
        found.setdefault("as they are", []).append(_turn(options.seconds))
        cores = AwakeCores()
        try:
            found.setdefault(cores.words, []).append(_turn(options.seconds))
        finally:
            cores.release()
    for words, machines in found.items():
        print(table([(f"cores {words}", ""), *_lines(machines)]))


def _turn(seconds: float) -> Machine:
    over = multiprocessing.Event()
    workers = [
        multiprocessing.Process(target=_work, args=(over,)) for _ in range(multiprocessing.cpu_count())
    ]
    for worker in workers:
        worker.start()
    with watched_machine() as machine:
        time.sleep(seconds)
    over.set()
    for worker in workers:
        worker.join()
    return machine


def _work(over: Event) -> None:
    while not over.is_set():
        until_s = time.monotonic() + _WORK_S
        while time.monotonic() < until_s:
            pass
        time.sleep(PERIOD_S - _WORK_S)


def _lines(machines: list[Machine]) -> list[tuple[str, str]]:
    late_s = np.concatenate([late for machine in machines for late in machine.late_s])
    late = late_s > PERIOD_S / 2
    taken = sum(machine.stolen_s for machine in machines) / sum(
        machine.span_s * len(machine.late_s) for machine in machines
    )
    return [
        ("  late by half a frame and more", f"{late.sum()} of {late.size} wakes ({late.mean():.2%})"),
        ("  the latest wake, ms", f"{1000 * late_s.max():.0f}"),
        ("  processor time that the host took", f"{taken:.1%}"),
    ]


if __name__ == "__main__":
    main()
