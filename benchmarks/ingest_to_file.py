"""A wide stream on its way into the session file: every sample once, and how late.

Run: python -m benchmarks.ingest_to_file [--seconds 60] [--channels 1024] [--rate-hz 1000]

A sender in a process of its own, with noise in each channel but the first, which counts samples; the real
ingest process; and in this process the loop's own ears and the session's store, as in a session but without
the rest. Afterwards the file is read back. Latency is from a sample's stamp to the end of the commit that
holds it.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import psutil

from benchmarks.ingest import start_sender
from benchmarks.lab import lab
from benchmarks.machine import headline, table
from closedloop.loop.ears import Ears
from closedloop.ports import Chunk, Float64
from closedloop.protocol.models import Response
from closedloop.session import SessionReader, SessionStore
from closedloop.session.database import FILE_NAME
from hardware.clock import LslClock
from hardware.lsl.proxy import LslLink

MEMORY_S = 5.0  # what a session keeps in memory for judging


class TimedStore(SessionStore):
    """Notes when each chunk was committed."""

    def __init__(self, *given: Any, **named: Any) -> None:
        super().__init__(*given, **named)
        self._waiting: list[Chunk] = []
        self.stamps_s: list[Float64] = []
        self.committed_s: list[float] = []

    def add_chunk(self, chunk: Chunk, written_s: float) -> None:
        """Record a chunk."""
        super().add_chunk(chunk, written_s)
        self._waiting.append(chunk)

    @contextmanager
    def transaction(self) -> Iterator[None]:
        """Group records, and note when they were in the file."""
        with super().transaction():
            yield
        now_s = LslClock().now()
        for chunk in self._waiting:
            self.stamps_s.append(chunk.times_s)
            self.committed_s.append(now_s)
        self._waiting.clear()


def record(folder: Path, seconds: float, channels: int, rate_hz: float) -> tuple[TimedStore, list[float]]:
    """Hear and record for so long; return the store, closed, and the CPU seconds of engine, ingest, sender."""
    clock = LslClock()
    response = Response.model_validate({"stream": {"source_id": "benchmark"}, "kind": "rates"})
    sender = start_sender(channels, rate_hz, "float32", "--noise")
    link = LslLink(response, "benchmark", clock=clock)
    try:
        streams = link.open()
        store = TimedStore.create(
            folder, meta={"session": "benchmark"}, environment={}, started_s=clock.now()
        )
        assert isinstance(store, TimedStore)  # noqa: S101 - create makes its own class
        for info in streams:
            store.add_stream(info)
        ears = Ears(link, store, clock, tuple(info.role for info in streams))
        processes = [psutil.Process(), psutil.Process(link.pid), psutil.Process(sender.pid)]
        before_s = [_cpu_s(process) for process in processes]
        until_s = clock.now() + seconds
        while clock.now() < until_s:
            ears.listen()
            ears.forget(clock.now() - MEMORY_S)
            time.sleep(0.001)
        used_s = [_cpu_s(process) - before for process, before in zip(processes, before_s, strict=True)]
        ears.write()
        store.close(ended_s=clock.now(), exit_status="completed", reason="")
    finally:
        link.close()
        sender.kill()
    return store, used_s


def check(folder: Path) -> tuple[int, int, int]:
    """Read the file back: samples in it, samples that the counter says were sent meanwhile, and repeats."""
    counts = []
    with SessionReader(folder) as reader:
        for _, _, values in reader.chunk_arrays("response"):
            counts.append(values[:, 0].copy())
    counter = np.concatenate(counts).astype(np.int64)
    return len(counter), int(counter.max() - counter.min()) + 1, len(counter) - len(np.unique(counter))


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--seconds", type=float, default=60.0)
    parser.add_argument("--channels", type=int, default=1024)
    parser.add_argument("--rate-hz", type=float, default=1000.0)
    options = parser.parse_args()
    print(
        headline(
            f"{options.channels} channels at {options.rate_hz:g} Hz for {options.seconds:g} s into the file"
        )
    )
    with lab() as place:
        folder = place.folder / "session"
        folder.mkdir()
        store, used_s = record(folder, options.seconds, options.channels, options.rate_hz)
        samples, sent, twice = check(folder)
        size_mb = (folder / FILE_NAME).stat().st_size / 1e6
    latency_ms = 1000 * np.concatenate(
        [
            committed_s - stamps_s
            for stamps_s, committed_s in zip(store.stamps_s, store.committed_s, strict=True)
        ]
    )
    settled = latency_ms[round(2 * options.rate_hz) :]  # without the backlog of the opening
    raw_mb = samples * options.channels * 4 / 1e6
    complete = samples == sent and not twice
    rows = [
        ("samples in the file, sent meanwhile, twice", f"{samples}, {sent}, {twice}"),
        ("every sample exactly once", "yes" if complete else "NO"),
        (
            "sample to file, ms (median, 99 %, max)",
            ", ".join(f"{value:.1f}" for value in np.percentile(settled, [50, 99, 100])),
        ),
        (
            "CPU, % of a core (ears and file, ingest, sender)",
            ", ".join(f"{100 * used / options.seconds:.0f}" for used in used_s),
        ),
        ("file, MB (samples without compression)", f"{size_mb:.0f} ({raw_mb:.0f})"),
    ]
    print(table(rows))


def _cpu_s(process: psutil.Process) -> float:
    times = process.cpu_times()
    return float(times.user + times.system)


if __name__ == "__main__":
    main()
