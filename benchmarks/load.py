"""Missed frames of a whole session under load: images rendered, a wide stream heard, the file written.

Run: python -m benchmarks.load [--frames 36000] [--beside none]      (ten minutes for 36,000 frames)

A real session from the command line: the demo's generator, search, durations and window, but its response
stream is a test signal of 1,024 channels at 1 kHz with noise in each, all of which is recorded. With
``--beside render`` the generator renders in a further process without a pause, with ``busy`` two processes
count for nothing (see benchmarks/frames.py). Virtual displays have no blank of their own, and their X server
is part of what is measured.
"""

from __future__ import annotations

import argparse
import contextlib
import math
import threading
import time
from pathlib import Path

import numpy as np
import pandas as pd
import psutil

from benchmarks.frames import loaded
from benchmarks.hiccups import watched_machine
from benchmarks.ingest import start_sender
from benchmarks.killing import processes
from benchmarks.lab import lab
from benchmarks.machine import headline, table
from benchmarks.sessions import PROTOCOL, START_S, Session, settings
from closedloop.session import SessionReader
from closedloop.session.database import FILE_NAME

PROCESSES = 3  # engine, stage, ingest
CHANNELS, RATE_HZ = 1024, 1000.0
TRIALS, FRAMES = 40, 12  # of a generation, of a trial
CHANGES = (
    "response.stream.source_id=benchmark",
    "response.kind=rates",
    "response.unit_count=null",
    f"response.expected_channels={CHANNELS}",
    f"response.expected_rate_hz={RATE_HZ:g}",
    "threads.0.units.units=[1]",
)


def figures(session: Session) -> list[tuple[str, str]]:
    """Return what the session's file says."""
    with SessionReader(session.folder) as reader:
        trials = reader.table("trials")
        display = reader.details("runs", "display")[-1]
        flips_s = [reader.flips(int(trial)) for trial in trials[trials.onset_s.notna()].trial]
        chunks = reader.table("chunks")
        lost = int((reader.table("events").kind == "samples_lost").sum())
    dt_ms = 1000 * np.concatenate([np.diff(flips) for flips in flips_s])
    missed, frames = int(trials.missed.sum()), len(dt_ms)
    reasons = trials[trials.status == "invalid"].reason.value_counts()
    fresh = chunks[chunks.received_s > trials.onset_s.min()]  # without the backlog of the session's start
    latency_ms = 1000 * (fresh.written_s - fresh.last_s)
    percent = ", ".join(f"{value:.2f}" for value in np.percentile(dt_ms, [0.1, 50, 99.9, 100]))
    size_mb = (session.folder / FILE_NAME).stat().st_size / 1e6
    span_s = chunks.last_s.max() - chunks.first_s.min()
    return [
        ("display", f"{display['details']['renderer']}, paced by {display['paced_by']}"),
        ("priority of the stage", display["details"]["priority"]),
        ("trials, frames", f"{len(trials)}, {frames}"),
        ("missed frames", f"{missed} ({missed / frames:.4%}) in {int((trials.missed > 0).sum())} trials"),
        ("the same by the minute", " ".join(_by_the_minute(trials))),
        ("memory of the stage", display["details"]["memory"]),
        ("interval between flips, ms (0.1, 50, 99.9 %, max)", percent),
        ("invalid trials by reason", ", ".join(f"{n} {reason}" for reason, n in reasons.items()) or "none"),
        ("samples recorded", f"{chunks.samples.sum()} in {span_s:.1f} s; chunks lost: {lost}"),
        (
            "newest sample of a chunk to file, ms (median, max)",
            f"{latency_ms.median():.0f}, {latency_ms.max():.0f}",
        ),
        ("session file", f"{size_mb:.0f} MB"),
    ]


def _by_the_minute(trials: pd.DataFrame) -> list[str]:
    shown = trials[trials.onset_s.notna()]
    minute = ((shown.onset_s - shown.onset_s.min()) // 60).astype(int)
    return [str(missed) for missed in shown.groupby(minute).missed.sum().astype(int)]


class Memory(threading.Thread):
    """Looks every few seconds how much memory each process of a session has for itself.

    Args:
        engine: number of its first process.
    """

    def __init__(self, engine: int) -> None:
        super().__init__(daemon=True)
        self._engine, self._over = engine, threading.Event()
        self._looks: list[tuple[float, dict[str, float]]] = []

    def run(self) -> None:
        """Look until told to stop."""
        while not self._over.wait(5.0):
            megabytes = {}
            for name, process in processes(self._engine).items():
                with contextlib.suppress(psutil.NoSuchProcess):
                    megabytes[name] = process.memory_full_info().uss / 1e6
            self._looks.append((time.monotonic(), megabytes))

    def lines(self) -> list[tuple[str, str]]:
        """Stop, and say how the memory of each process went, from when all were there and a tenth of the time over."""
        self._over.set()
        self.join()
        whole = [(when, one) for when, one in self._looks if len(one) == PROCESSES]
        begin_s = whole[0][0] + (whole[-1][0] - whole[0][0]) / 10
        settled = [one for when, one in whole if when >= begin_s]
        minutes = (whole[-1][0] - begin_s) / 60
        return [
            (
                f"memory of the {name}, MB, over {minutes:.1f} minutes",
                f"{settled[0][name]:.0f}, {settled[-1][name]:.0f}",
            )
            for name in settled[0]
        ]


def _pages_from_disk() -> int:
    counts = dict(line.split() for line in Path("/proc/vmstat").read_text(encoding="utf-8").splitlines())
    return int(counts["pgmajfault"])


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--frames", type=int, default=36_000)
    parser.add_argument("--beside", default="none", help="none, render, busy; several joined by commas")
    options = parser.parse_args()
    generations = math.ceil(options.frames / (TRIALS * FRAMES))
    print(headline(f"a session of {generations} generations under load; beside it: {options.beside}"))
    words = ["run", str(PROTOCOL), *settings(*CHANGES, f"limits.generations={generations}")]
    with lab() as place, loaded(options.beside.split(",")):
        sender = start_sender(CHANNELS, RATE_HZ, "float32", "--noise")
        try:
            with Session(words, place.folder / "sessions", place.environment) as session:
                before = _pages_from_disk()
                memory = Memory(session.process.pid)
                memory.start()
                with watched_machine() as machine:
                    code = session.wait(START_S + 60.0 * generations)
                pages = _pages_from_disk() - before
                if code:
                    raise SystemExit(f"the session ended with {code}: {session.told}")
                rows = [
                    *figures(session),
                    ("pages of programs read from disk", str(pages)),
                    *machine.lines(),
                    *memory.lines(),
                ]
                print(table(rows))
        finally:
            sender.kill()


if __name__ == "__main__":
    main()
