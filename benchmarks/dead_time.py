"""How long the screen stays empty between two generations, by its parts, in whole sessions.

Run: python -m benchmarks.dead_time [--generations 14] [--session FOLDER]      (about three minutes)

From the end of the last response window of a generation to the first onset of the next, as the session
itself records it: ``waiting`` for the last samples, ``scoring``, ``breeding``, ``rendering`` of the first
image, ``upload`` (handing over, upload and the wait for the next frame). The demo's generator, 40 images.
"""

from __future__ import annotations

import argparse
from pathlib import Path

import numpy as np

from benchmarks.lab import lab
from benchmarks.machine import headline, table
from benchmarks.sessions import START_S, Session, settings
from closedloop.session import SessionReader


def figures(folder: Path) -> str:
    """Return the parts of a session's dead times as lines."""
    with SessionReader(folder) as reader:
        timing = [parts for parts in reader.details("generations", "timing") if parts]
    rows = [("ms (median, 90 %, max)", f"of {len(timing)} pauses between generations")]
    for part in timing[0]:
        low, high, most = np.percentile([parts[part] for parts in timing], [50, 90, 100])
        rows.append((part, f"{low:7.1f}{high:8.1f}{most:8.1f}"))
    rows.append(
        ("XDream's exchange through files, besides its rendering", "  650      at least, as published")
    )
    return table(rows)


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--generations", type=int, default=14)
    parser.add_argument("--session", type=Path, help="take a session that there is already")
    options = parser.parse_args()
    print(headline("dead time between generations"))
    if options.session:
        print(figures(options.session))
        return
    with lab() as place:
        words = ["demo", *settings(f"limits.generations={options.generations}")]
        with Session(words, place.folder / "sessions", place.environment) as session:
            code = session.wait(START_S + 60.0 * options.generations)
        if code:
            raise SystemExit(f"the session ended with {code}: {session.told}")
        print(figures(session.folder))


if __name__ == "__main__":
    main()
