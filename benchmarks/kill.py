"""Kills real sessions a hundred times, goes on with them, and compares; prints the table of docs/resume.md.

``python -m benchmarks.kill [--kills 100] [--seed 0]``. Each session has its window on a virtual display, its
responses over LSL (known ones: they hang on trial and image alone), and all its processes.
"""

from __future__ import annotations

import argparse
import os
import sys
import tempfile
import time
from collections import Counter
from pathlib import Path

import numpy as np

from benchmarks.killing import PHASES, VICTIMS, Kill, answering, kill_one, write_protocol
from hardware.display import virtual_display
from hardware.lsl.config import use_config


def main() -> int:
    """Kill, go on, compare, and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--kills", type=int, default=100)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--keep", type=Path, help="folder for the sessions, to look at them")
    options = parser.parse_args()
    rng = np.random.default_rng(np.random.SeedSequence(options.seed))
    plan = [(phase, victim) for phase in PHASES for victim in VICTIMS]
    kills: list[Kill] = []
    begun_s = time.monotonic()
    with tempfile.TemporaryDirectory(prefix="closedloop-kill-") as scratch:
        base = options.keep or Path(scratch)
        base.mkdir(parents=True, exist_ok=True)
        use_config(base / "lsl_api.cfg", f"kill-{os.getpid()}", scope="machine")
        protocol_file = write_protocol(base)
        with virtual_display((400, 300)) as display, answering():
            for number in range(options.kills):
                phase, victim = plan[number % len(plan)]
                out = base / f"{number:03d}"
                chance = float(rng.random())
                try:
                    kill = kill_one(protocol_file, out, {"DISPLAY": display.name}, phase, victim, chance)
                except AssertionError as error:  # a machine so busy that the session does not get there
                    print(f"{number:3d} no kill: {error}", flush=True)
                    continue
                kills.append(kill)
                print(
                    f"{number:3d} aimed {phase:12s} hit {kill.phase:13s} {victim:6s} exit {kill.exit_code:4d} "
                    f"{kill.again:12s} lost {kill.lost} {'same' if kill.same else 'DIFFERS'}"
                    f"{'' if kill.told else ' NOT TOLD'}{' ORPHANS ' + str(kill.orphans) if kill.orphans else ''}",
                    flush=True,
                )
                if not kill.good:
                    print(kill.words, flush=True)
    print()
    _print_table(kills)
    print(f"\n{len(kills)} kills in {(time.monotonic() - begun_s) / 60:.0f} minutes")
    return 0 if all(kill.good for kill in kills) else 1


def _print_table(kills: list[Kill]) -> None:
    print("| killed while in | victim | kills | went on | same bytes | acknowledged trials lost |")
    print("| --- | --- | --- | --- | --- | --- |")
    for phase in (*PHASES, "after its end"):
        for victim in VICTIMS:
            some = [kill for kill in kills if (kill.phase, kill.victim) == (phase, victim)]
            if some:
                ways = Counter(kill.again for kill in some)
                went = ", ".join(f"{count} {way}" for way, count in ways.items())
                same, lost = sum(kill.same for kill in some), sum(kill.lost for kill in some)
                print(f"| {phase} | {victim} | {len(some)} | {went} | {same} of {len(some)} | {lost} |")
    same, lost = sum(kill.same for kill in kills), sum(kill.lost for kill in kills)
    print(f"| all | | {len(kills)} | | {same} of {len(kills)} | {lost} |")


if __name__ == "__main__":
    sys.exit(main())
