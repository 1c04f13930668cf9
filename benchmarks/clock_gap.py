"""How far stamps are off after a gap in a stream: our clock fit beside liblsl's own dejittering.

Run: python -m benchmarks.clock_gap [--gap-s 1] [--after-s 15]

A sender on this machine stamps its samples exactly, pauses for ``--gap-s``, and goes on. Sender and
receivers share the machine's clock, so a stamp's error is what was made of it minus what was sent: the
same stream is heard by ``LslLink`` and by an inlet with ``proc_clocksync | proc_dejitter`` at once.
"""

from __future__ import annotations

import argparse
import os
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np

from benchmarks.ingest import start_sender
from closedloop.ports import Chunk
from closedloop.protocol.models import Response
from hardware.lsl.config import use_config
from hardware.lsl.proxy import LslLink

_RATE_HZ = 1000.0
_BEFORE_S = 20.0
_SPANS_S = [(0.0, 0.2), (0.2, 1.0), (1.0, 5.0), (5.0, 15.0), (15.0, 60.0), (60.0, 1e9)]


def measure(gap_s: float, after_s: float) -> tuple[np.ndarray, np.ndarray, float]:
    """Hear a stream with a gap.

    Returns:
        Errors in seconds (2, samples), of our stamps and of liblsl's; the samples' numbers; and the number
        of the first sample after the gap.
    """
    import pylsl  # after use_config

    sender = start_sender(2, _RATE_HZ, "float64")
    link = LslLink(
        Response.model_validate({"stream": {"source_id": "benchmark"}, "kind": "rates"}), "benchmark"
    )
    try:
        link.open()
        (found,) = pylsl.resolve_byprop("source_id", "benchmark", timeout=5)
        rival = pylsl.StreamInlet(found, processing_flags=pylsl.proc_clocksync | pylsl.proc_dejitter)
        ours: dict[str, list[np.ndarray]] = {"number": [], "stamp": [], "raw": []}
        theirs: dict[str, list[np.ndarray]] = {"number": [], "stamp": []}

        def pull() -> None:
            for event in link.poll():
                if isinstance(event, Chunk):
                    ours["number"].append(event.values[:, 0].copy())
                    ours["stamp"].append(event.times_s)
                    ours["raw"].append(event.stamps_raw_s)
            values, stamps_s = rival.pull_chunk(timeout=0.0, max_samples=4096, as_numpy=True)
            theirs["number"].append(values[:, 0].copy())
            theirs["stamp"].append(stamps_s)

        _pump(pull, _BEFORE_S)
        assert sender.stdin is not None  # noqa: S101 - it was opened as a pipe
        sender.stdin.write(f"gap {gap_s}\n")
        sender.stdin.flush()
        _pump(pull, gap_s + after_s)
    finally:
        link.close()
        sender.kill()
    number, stamp, raw = (np.concatenate(ours[key]) for key in ("number", "stamp", "raw"))
    their_number, their_stamp = np.concatenate(theirs["number"]), np.concatenate(theirs["stamp"])
    _, mine, rivals = np.intersect1d(number, their_number, return_indices=True)
    number, stamp, raw = number[mine], stamp[mine], raw[mine]
    first = float(number[1 + int(np.argmax(np.diff(raw)))])
    errors = np.stack([stamp - raw, their_stamp[rivals] - raw])
    return errors, number, first


def spans(errors: np.ndarray, number: np.ndarray, first: float) -> Iterator[tuple[str, float, float]]:
    """Yield spans of time from the gap on, and the largest error in each in milliseconds, ours and liblsl's.

    Args:
        errors: as of ``measure``; so are the others.
        number: of each sample.
        first: after the gap.
    """
    since_s = (number - first) / _RATE_HZ
    for start_s, stop_s in [(-5.0, 0.0), *_SPANS_S]:
        within = (since_s >= start_s) & (since_s < stop_s)
        if within.any():
            ours_ms, theirs_ms = 1000 * np.abs(errors[:, within]).max(axis=1)
            yield f"{start_s:.1f} to {min(stop_s, since_s[-1]):.1f} s", float(ours_ms), float(theirs_ms)


def _pump(pull: Callable[[], None], seconds: float) -> None:
    until_s = time.monotonic() + seconds
    while time.monotonic() < until_s:
        pull()
        time.sleep(0.02)


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--gap-s", type=float, default=1.0)
    parser.add_argument("--after-s", type=float, default=15.0)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        use_config(Path(folder) / "lsl.cfg", f"benchmark-{os.getpid()}", "machine")
        errors, number, first = measure(options.gap_s, options.after_s)
    print(f"largest error of a stamp, ms, after a gap of {options.gap_s:g} s   ours   proc_dejitter")
    for span, ours_ms, theirs_ms in spans(errors, number, first):
        print(f"{span:18}{ours_ms:38.3f} {theirs_ms:15.3f}")


if __name__ == "__main__":
    main()
