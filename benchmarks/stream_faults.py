"""How soon a killed and a hung sender are noticed, how soon they are believed again, and stamps after a gap.

Run: python -m benchmarks.stream_faults [--times 10] [--after-s 15]      (about three minutes)

A sender of 16 channels at 1 kHz in a process of its own is killed (SIGKILL) and started again, or stopped
(SIGSTOP) and continued. Times are from the signal to the change of state as the engine hears it, polling each
millisecond, under the default ages of a protocol. Then benchmarks/clock_gap.py: a gap of 1 s in a stream.
"""

from __future__ import annotations

import argparse
import signal
import subprocess
import time

import numpy as np

from benchmarks.clock_gap import measure, spans
from benchmarks.ingest import start_sender
from benchmarks.lab import lab
from benchmarks.machine import headline, table
from closedloop.ports import StreamState, StreamStateChange
from closedloop.protocol.models import Response
from hardware.lsl.proxy import LslLink

CHANNELS, RATE_HZ = 16, 1000.0
DOUBTED = (StreamState.LATE, StreamState.LOST)


def wait_for(link: LslLink, states: tuple[StreamState, ...], timeout_s: float = 20.0) -> None:
    """Poll until the stream is in one of these states."""
    until_s = time.monotonic() + timeout_s
    while time.monotonic() < until_s:
        if any(isinstance(event, StreamStateChange) and event.state in states for event in link.poll()):
            return
        time.sleep(0.001)
    raise SystemExit(f"the stream did not become {' or '.join(state.value for state in states)}")


def fail_again_and_again(times: int) -> dict[str, list[float]]:
    """Return what took how long, in seconds."""
    took: dict[str, list[float]] = {"killed": [], "restarted": [], "hung": [], "continued": []}
    random = np.random.default_rng(0)
    sender = _start()
    link = LslLink(
        Response.model_validate({"stream": {"source_id": "benchmark"}, "kind": "rates"}), "benchmark"
    )

    def timed(what: str, states: tuple[StreamState, ...]) -> None:
        begun_s = time.monotonic()
        wait_for(link, states)
        took[what].append(time.monotonic() - begun_s)

    try:
        link.open()
        wait_for(link, (StreamState.LIVE,))
        for _ in range(times):
            _run_on(link, random.uniform(0.5, 1.0))
            sender.send_signal(signal.SIGSTOP)
            timed("hung", DOUBTED)
            _run_on(link, 1.0)
            sender.send_signal(signal.SIGCONT)
            timed("continued", (StreamState.LIVE,))
            _run_on(link, random.uniform(0.5, 1.0))
            sender.kill()
            timed("killed", DOUBTED)
            sender.wait()
            _run_on(link, 1.0)
            sender = _start()
            timed("restarted", (StreamState.LIVE,))
    finally:
        link.close()
        sender.kill()
    return took


def _start() -> subprocess.Popen[str]:
    return start_sender(CHANNELS, RATE_HZ)


def _run_on(link: LslLink, seconds: float) -> None:
    until_s = time.monotonic() + seconds
    while time.monotonic() < until_s:
        link.poll()
        time.sleep(0.001)


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--times", type=int, default=10)
    parser.add_argument("--after-s", type=float, default=15.0, help="how long to look after the gap")
    options = parser.parse_args()
    print(headline(f"faults of a stream, {options.times} times each"))
    with lab():
        took = fail_again_and_again(options.times)
        words = {
            "killed": "killed: noticed after, ms (median, max)",
            "hung": "hung: noticed after, ms (median, max)",
            "continued": "continued: live again after, ms (median, max)",
            "restarted": "started again: live again after, ms (median, max)",
        }
        rows = [
            (text, f"{1000 * np.median(took[what]):.0f}, {1000 * max(took[what]):.0f}")
            for what, text in words.items()
        ]
        print(table(rows))
        print("  largest error of a stamp after a gap of 1 s, ms, and by liblsl's proc_dejitter")
        errors, number, first = measure(1.0, options.after_s)
        print(
            table((span, f"{ours:9.3f}{theirs:12.3f}") for span, ours, theirs in spans(errors, number, first))
        )


if __name__ == "__main__":
    main()
