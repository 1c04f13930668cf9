"""Faults of a scanner over each path: noticed when, false alarms, pulses unheard.

    python -m benchmarks.fault_matrix [--runs 20] [--tr 1.0] [--at-once 24] [--paths keyboard,serial,lsl]
    python -m benchmarks.fault_matrix --offline [--runs 1000] [--gaussian]

For each fault and path the scanner simulator plays runs in real time, in a process of its own, over the real
path, with up to 5 ms of jitter and keys held for 10 ms; the trigger's own process hears them; a ledger here judges.
Offline the simulator's plan goes straight to the ledger, with no path between.
"""

from __future__ import annotations

import argparse
import math
from collections.abc import Sequence

import numpy as np

from benchmarks.fault_cases import CASES, JITTER_S, Case, Heard, Outcome, Sent, judge, table
from closedloop.protocol.sections.scan import Scanner
from closedloop.scan.ledger import PulseLedger
from closedloop.scan.ports import Pulse
from closedloop.scan.simulation import pulse_times

PATHS = ("keyboard", "serial", "lsl")
_TICKS = 40  # a TR; offline the time is told that often


def offline(case: Case, seed: int, tr_s: float, gaussian: bool = False) -> Outcome:
    """Judge one run without any path."""
    rng = np.random.default_rng((seed, CASES.index(case)))
    faults = case.draw(rng, case.volumes, tr_s)
    layout = case.layout
    plan = pulse_times(
        tr_s,
        case.volumes,
        layout.dummies,
        0.0 if gaussian else JITTER_S,
        faults,
        rng,
        slices=layout.slices,
        acquisition_s=layout.acquisition_s(tr_s),
    )
    # a doubled pulse follows the one that it doubles, and is as late
    shape = (case.volumes + layout.dummies, layout.slices)
    off_s = JITTER_S * rng.normal(size=shape) if gaussian else np.zeros(shape)
    sent = [
        Sent(1e5 + pulse.time_s + off_s[pulse.volume or 0, pulse.within], pulse.kind, pulse.volume)
        for pulse in plan
    ]
    return judge(case, faults, sent, play(layout.protocol(tr_s, case.volumes), sent), tr_s)


def play(section: Scanner, sent: Sequence[Sent]) -> Heard:
    """Feed a ledger with pulses as sent, telling the time now and then."""
    ledger, heard = PulseLedger(section), Heard()
    end_s = sent[0].time_s + (section.dummies + section.volumes + 8) * section.tr_s
    waiting = sorted(sent, key=lambda pulse: pulse.time_s)
    now_s, place = waiting[0].time_s, 0
    while now_s < end_s:
        while place < len(waiting) and waiting[place].time_s <= now_s:
            time_s = waiting[place].time_s
            place += 1
            entry, findings = ledger.feed(Pulse(time_s, 0.0005, math.nan, time_s, "5"))
            heard.entries.append((entry, time_s))
            heard.findings += [(finding, now_s) for finding in findings]
        heard.findings += [(finding, now_s) for finding in ledger.tick(now_s)]
        now_s += section.tr_s / _TICKS
    heard.findings += [(finding, now_s) for finding in ledger.finish(now_s)]
    return heard


def main() -> None:
    """Run the matrix and print it."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--runs", type=int, default=20, help="for each fault and path")
    parser.add_argument("--tr", type=float, default=1.0, help="in seconds")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument(
        "--offline", action="store_true", help="no path: the plan goes straight to the ledger"
    )
    parser.add_argument("--gaussian", action="store_true", help="offline: jitter of 5 ms standard deviation")
    parser.add_argument(
        "--faults", default="", help="only those whose name contains one of these, separated by commas"
    )
    parser.add_argument("--paths", default=",".join(PATHS), help="separated by commas")
    parser.add_argument("--at-once", type=int, default=20, help="runs in real time side by side")
    arguments = parser.parse_args()
    wanted = arguments.faults.split(",")
    cases = [case for case in CASES if any(part in case.name for part in wanted)]
    seeds = range(arguments.seed, arguments.seed + arguments.runs)
    if arguments.offline:
        results = {
            (case.name, "none"): [offline(case, seed, arguments.tr, arguments.gaussian) for seed in seeds]
            for case in cases
        }
    else:
        from benchmarks.fault_paths import over_paths  # brings LSL, which the offline form has no need of

        results = over_paths(cases, arguments.paths.split(","), seeds, arguments.tr, arguments.at_once)
    print(table(results))


if __name__ == "__main__":
    main()
