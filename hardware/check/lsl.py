"""LSL: which library, and how long a sample takes from one process of this machine to another."""

from __future__ import annotations

import subprocess
import sys
import time
import uuid
from collections.abc import Sequence
from importlib.metadata import version

import numpy as np
import pylsl

from closedloop.errors import StreamError, StreamNotFoundError
from hardware.check.finding import Finding, Verdict, at_most

OLDEST_LIBRARY = 116
"""Version number of liblsl (1.16) that the stream contract was written for."""

LATENCY_MS = 5.0
"""Median from push to pull; more eats into the time in which a gap must be noticed."""

SLOW_LATENCY_MS = 20.0
"""99th percentile: single late samples cost nothing, since every sample bears its stamp."""

SAMPLES, QUICK_SAMPLES = 200, 50
RATE_HZ = 200.0
_FIND_S = 10.0
_BUSY = "Close other programs; exclude LSL from the inspection of firewall and virus scanner."


def judge_library() -> Sequence[Finding]:
    """Say which liblsl this is."""
    number = pylsl.library_version()
    return [
        Finding(
            "liblsl",
            f"{number // 100}.{number % 100} (pylsl {version('pylsl')}, protocol {pylsl.protocol_version() / 100:.2f})",
            "",
            Verdict.OK if number >= OLDEST_LIBRARY else Verdict.BAD,
            f"{OLDEST_LIBRARY // 100}.{OLDEST_LIBRARY % 100} or newer",
            "Unset PYLSL_LIB, so that the library that comes with pylsl is used.",
        )
    ]


def judge_loopback(*, quick: bool = False) -> Sequence[Finding]:
    """Send samples from a process of our own and time them here (blocks some seconds).

    Raises:
        StreamError: the samples did not come.
    """
    samples = QUICK_SAMPLES if quick else SAMPLES
    latencies_s, numbers = loopback(samples)
    return [
        at_most("LSL loopback latency, median", float(np.median(latencies_s)) * 1e3, LATENCY_MS, "ms", _BUSY),
        at_most(
            "LSL loopback latency, 99 %",
            float(np.percentile(latencies_s, 99)) * 1e3,
            SLOW_LATENCY_MS,
            "ms",
            _BUSY,
            required=False,
        ),
        Finding(
            "LSL loopback samples",
            f"{len(set(numbers))} of {samples}, {'in order' if numbers == sorted(numbers) else 'not in order'}",
            "",
            Verdict.OK if numbers == list(range(samples)) else Verdict.BAD,
            "each once, in order",
            "The network layer of this machine loses local packets; look at its firewall.",
        ),
    ]


def loopback(samples: int) -> tuple[list[float], list[int]]:
    """Return latencies (seconds, as they arrived) and numbers of samples that another process sent.

    Raises:
        StreamError: its stream was not found, or its samples stayed out.
    """
    source_id = f"closedloop-check-{uuid.uuid4().hex}"
    sender = subprocess.Popen(
        [sys.executable, "-m", "hardware.check.loopback_sender", source_id, str(samples), str(RATE_HZ)],
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
    )
    try:
        return _receive(source_id, samples)
    finally:
        sender.terminate()
        sender.wait()


def _receive(source_id: str, samples: int) -> tuple[list[float], list[int]]:
    found = pylsl.resolve_byprop("source_id", source_id, 1, _FIND_S)
    if not found:
        raise StreamNotFoundError(
            "LSL loopback",
            found="our own stream from another process of this machine was not heard",
            expected=f"it within {_FIND_S:g} s",
            remedy="Let the firewall pass UDP and TCP ports 16571 to 16604, and multicast, on this machine.",
        )
    inlet = pylsl.StreamInlet(found[0], recover=False)
    latencies_s: list[float] = []
    numbers: list[int] = []
    until_s = time.monotonic() + samples / RATE_HZ + _FIND_S
    while len(numbers) < samples and time.monotonic() < until_s:
        try:
            sample, stamp_s = inlet.pull_sample(timeout=1.0)
        except pylsl.util.LostError:
            break
        if sample is not None:
            latencies_s.append(pylsl.local_clock() - stamp_s)
            numbers.append(int(sample[0]))
    if not numbers:
        raise StreamError(
            "LSL loopback",
            found="our own stream was found, but no sample of it came",
            expected=f"{samples} samples",
            remedy="Let the firewall pass TCP ports 16571 to 16604 on this machine.",
        )
    return latencies_s, numbers
