"""Logged onsets of a whole session against an independent witness of the screen.

Run: python -m benchmarks.session_onsets [--trials 1000] [--rate-hz 2500]      (Linux; about 220 s)

The demo runs from the command line with its simulated subject, all processes and its real durations; beside
it ``hardware.observer`` samples the photodiode patch through its own X connection. ``benchmarks/onsets.py``
measures the stage alone.
"""

from __future__ import annotations

import argparse
import math

from benchmarks.hiccups import watched_machine
from benchmarks.lab import lab
from benchmarks.machine import headline, table
from benchmarks.sessions import START_S, Session, settings
from benchmarks.witness import compare, observed


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--trials", type=int, default=1000, help="at least so many valid ones")
    parser.add_argument("--rate-hz", type=float, default=2500.0, help="samples a second of the witness")
    options = parser.parse_args()
    generations = math.ceil(options.trials / 40) + 1  # some images may be given up
    print(headline(f"onsets of a demo of {generations} generations of 40 trials, 6 frames on and 6 off"))
    with lab() as place:
        log = place.folder / "seen.npz"
        with observed(log, place.display, options.rate_hz), watched_machine() as machine:
            words = ["demo", *settings(f"limits.generations={generations}")]
            with Session(words, place.folder / "sessions", place.environment) as session:
                code = session.wait(START_S + 30.0 * generations)
        if code:
            raise SystemExit(f"the session ended with {code}: {session.told}")
        print(table([*compare(session.folder, log).lines(), *machine.lines()]))


if __name__ == "__main__":
    main()
