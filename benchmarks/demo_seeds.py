"""Does the demo evolve? Several seeds of it from the command line, and its control with shuffled pictures.

Run: python -m benchmarks.demo_seeds [--seeds 5] [--generations 14]      (about three minutes a session)

``last / first`` is the mean response to the evolved images of the last generation by that of the first, as
heard, not normalised; ``references`` the same for the pictures that do not evolve.
"""

from __future__ import annotations

import argparse
import time

from benchmarks.lab import Lab, lab
from benchmarks.machine import headline
from benchmarks.sessions import START_S, Session, mean_responses, settings
from closedloop.session import SessionReader


def measure(place: Lab, seed: int, generations: int, shuffled: bool) -> str:
    """Run one session and return its row."""
    words = ["demo", *settings(f"seed={seed}", f"limits.generations={generations}")]
    if shuffled:
        words += ["--control", "shuffled"]
    begun_s = time.monotonic()
    name = f"{'control' if shuffled else 'seed'}-{seed}"
    with Session(words, place.folder / name, place.environment) as session:
        code = session.wait(START_S + 60.0 * generations)
    if code:
        return f"  {name:12} ended with {code}: {session.told[-400:]}"
    evolved, references = (mean_responses(session.folder, kind) for kind in ("evolved", "reference"))
    with SessionReader(session.folder) as reader:
        trials = reader.table("trials")
    return (
        f"  {name:12}{evolved[0]:8.1f}{evolved[-1]:8.1f}{evolved[-1] / evolved[0]:14.2f}"
        f"{references[-1] / references[0]:12.2f}{len(trials):8}{(trials.status == 'invalid').sum():9}"
        f"{int(trials.missed.sum()):8}{time.monotonic() - begun_s:8.0f}"
    )


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--seeds", type=int, default=5, help="how many, from 1 on")
    parser.add_argument(
        "--controls", type=int, default=1, help="how many of them again with shuffled pictures"
    )
    parser.add_argument("--generations", type=int, default=14)
    options = parser.parse_args()
    print(headline(f"demo over {options.generations} generations: mean response in spikes/s"))
    print("               first    last  last / first  references  trials  invalid  missed       s")
    with lab() as place:
        for shuffled, seeds in ((False, options.seeds), (True, options.controls)):
            for seed in range(1, seeds + 1):
                print(measure(place, seed, options.generations, shuffled), flush=True)


if __name__ == "__main__":
    main()
