"""How well a wide response stream comes in: every sample once, how late, and at what cost in CPU.

Run: python -m benchmarks.ingest [--seconds 60] [--channels 1024] [--rate-hz 1000]

A sender in a process of its own counts its samples in channel 0; the ingest process hears it over LSL; this
process plays the engine and polls every 5 ms. ``run(take=...)`` is the hook for whoever wants the chunks
on their way, for example to write them into a session file.
"""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import psutil

from closedloop.ports import Chunk, StreamOverflow, StreamState, StreamStateChange
from closedloop.protocol.models import Response
from hardware.lsl.config import use_config
from hardware.lsl.proxy import LslLink

POLL_S = 0.005


@dataclass(frozen=True)
class Result:
    """Figures of one run; latencies from a sample's stamp to its arrival in this process (or in ``take``)."""

    samples: int
    expected: int
    once_each: bool
    chunks: int
    overflows: int
    doubts: int
    latency_median_ms: float
    latency_99_ms: float
    latency_max_ms: float
    cpu_engine: float
    cpu_ingest: float
    cpu_sender: float
    longest_poll_ms: float

    def table(self) -> str:
        """Return the figures as lines."""
        rows = [
            ("samples received / sent", f"{self.samples} / {self.expected}"),
            ("every sample exactly once", "yes" if self.once_each else "NO"),
            ("chunks, overflows, doubts", f"{self.chunks}, {self.overflows}, {self.doubts}"),
            (
                "latency ms (median, 99 %, max)",
                f"{self.latency_median_ms:.1f}, {self.latency_99_ms:.1f}, {self.latency_max_ms:.1f}",
            ),
            (
                "CPU, % of a core (engine, ingest, sender)",
                f"{self.cpu_engine:.1f}, {self.cpu_ingest:.1f}, {self.cpu_sender:.1f}",
            ),
            ("longest poll ms", f"{self.longest_poll_ms:.2f}"),
        ]
        return "\n".join(f"{name:44}{value}" for name, value in rows)


def run(seconds: float, channels: int, rate_hz: float, take: Callable[[Chunk], object] = id) -> Result:
    """Send and hear for so long.

    Args:
        seconds: how long is sent.
        channels: of the stream, float32.
        rate_hz: samples a second.
        take: gets each chunk as it comes in; its time counts as latency. As it stands, nothing is done.
    """
    expected = round(seconds * rate_hz)
    sender = start_sender(channels, rate_hz)
    link = LslLink(
        Response.model_validate({"stream": {"source_id": "benchmark"}, "kind": "rates"}), "benchmark"
    )
    try:
        return _measure(link, sender, expected, take)
    finally:
        link.close()
        sender.kill()


def start_sender(channels: int, rate_hz: float, dtype: str = "float32", *more: str) -> subprocess.Popen[str]:
    """Start the test signal (``more``: further options of it); it sends when somebody listens or not."""
    command = [sys.executable, "-m", "hardware.lsl.signal_sender", "--source-id", "benchmark"]
    command += ["--channels", str(channels), "--rate-hz", str(rate_hz), "--dtype", dtype, *more]
    sender = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    assert sender.stdout is not None  # noqa: S101 - it is a pipe as asked for two lines above
    sender.stdout.readline()
    return sender


def _measure(
    link: LslLink, sender: subprocess.Popen[str], expected: int, take: Callable[[Chunk], object]
) -> Result:
    link.open()
    processes = [psutil.Process(pid) for pid in (os.getpid(), link.pid, sender.pid)]
    counters: list[np.ndarray] = []
    latencies_s: list[np.ndarray] = []
    received = chunks = overflows = doubts = 0
    longest_s = 0.0
    cpu_s: list[float] = []
    begun_s = 0.0
    while received < expected:
        before_s = time.monotonic()
        events = link.poll()
        now_s = time.monotonic()
        longest_s = max(longest_s, now_s - before_s)
        for event in events:
            if isinstance(event, Chunk):
                if not cpu_s:  # from the first sample on, without the start of the processes
                    cpu_s, begun_s = [_cpu_s(process) for process in processes], now_s
                take(event)
                counters.append(event.values[:, 0].copy())
                if now_s - begun_s > 2:  # without the backlog of the opening
                    latencies_s.append(time.monotonic() - event.times_s)
                received += len(event.times_s)
                chunks += 1
            elif isinstance(event, StreamOverflow):
                overflows += event.lost_chunks
            elif isinstance(event, StreamStateChange):
                doubts += event.state in (StreamState.LATE, StreamState.LOST)
        time.sleep(POLL_S)
    lasted_s = time.monotonic() - begun_s
    used = [100 * (_cpu_s(process) - at) / lasted_s for process, at in zip(processes, cpu_s, strict=True)]
    counter = np.concatenate(counters)
    latency_ms = 1000 * np.concatenate(latencies_s)
    return Result(
        samples=received,
        expected=int(counter[-1] - counter[0]) + 1,
        once_each=bool((np.diff(counter) == 1).all()),
        chunks=chunks,
        overflows=overflows,
        doubts=doubts,
        latency_median_ms=float(np.median(latency_ms)),
        latency_99_ms=float(np.percentile(latency_ms, 99)),
        latency_max_ms=float(latency_ms.max()),
        cpu_engine=used[0],
        cpu_ingest=used[1],
        cpu_sender=used[2],
        longest_poll_ms=1000 * longest_s,
    )


def _cpu_s(process: psutil.Process) -> float:
    times = process.cpu_times()
    return float(times.user + times.system)


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--seconds", type=float, default=60.0)
    parser.add_argument("--channels", type=int, default=1024)
    parser.add_argument("--rate-hz", type=float, default=1000.0)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        use_config(Path(folder) / "lsl.cfg", f"benchmark-{os.getpid()}", "machine")
        print(run(options.seconds, options.channels, options.rate_hz).table())


if __name__ == "__main__":
    main()
