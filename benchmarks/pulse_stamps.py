"""How exact the stamps of a scanner's pulses are, path by path, against the simulated scanner's own.

Run: python -m benchmarks.pulse_stamps [--pulses 300] [--beside none]      (about five minutes)

The simulated scanner sends its pulses from a process of its own with 5 ms of jitter, so that they fall anywhere
on the clocks' ticks, and writes down when it sent each; the trigger's reader hears them as in a session. An
error is the reader's time minus the time just before sending. Keys are down for 10 ms, and in a further row for
1 ms. With ``--beside busy`` two processes count for nothing meanwhile. On a virtual machine the host takes cores
away for milliseconds, which no priority within it can help: the last column is the share of time that it took.
"""

from __future__ import annotations

import argparse
import subprocess
import sys
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd
import psutil

from benchmarks.frames import loaded
from benchmarks.lab import lab
from benchmarks.machine import headline
from closedloop.protocol.sections.scan import Scanner
from closedloop.scan.ports import Pulse, TriggerInfo, TriggerNotice
from hardware.triggers import open_trigger

TR_S, JITTER_MS = 0.2, 5.0
NEAR_S = 0.05  # a pulse further from any that was sent is none of them
SETTLE_S = 0.5
PATHS: dict[str, tuple[dict[str, Any], list[str]]] = {
    "keyboard, 10 ms": ({"path": "keyboard"}, ["--hold-ms", "10"]),
    "keyboard, 1 ms": ({"path": "keyboard"}, ["--hold-ms", "1"]),
    "serial": ({"path": "serial", "byte": 53}, []),
    "lsl": ({"path": "lsl", "marker": "volume", "stream": {"source_id": "closedloop-scanner"}}, []),
}


@dataclass(frozen=True)
class Heard:
    """What was sent and what came of it, seconds; one entry of each array a pulse that was sent and heard.

    Attributes:
        info: the trigger's own words.
        sent: how many pulses were sent.
        extra: how many were heard that were not sent.
        error_s: the reader's time minus the time just before sending.
        off_s: how far the reader's time lies outside the time that sending took.
        uncertainty_s: that came with the stamps.
        delay_s: from sending to the reader's process.
        stolen: share of the cores' time that the host of a virtual machine took meanwhile.
    """

    info: TriggerInfo
    sent: int
    extra: int
    error_s: npt.NDArray[np.float64]
    off_s: npt.NDArray[np.float64]
    uncertainty_s: npt.NDArray[np.float64]
    delay_s: npt.NDArray[np.float64]
    stolen: float


def measure(path: str, pulses: int, folder: Path) -> Heard:
    """Send and hear pulses over one path."""
    trigger, words = PATHS[path]
    out, link = folder / f"sent-{path}.csv", folder / "tty"
    words = [*words, "--path", str(trigger["path"]), "--volumes", str(pulses), "--out", str(out)]
    if trigger["path"] == "serial":
        trigger = {**trigger, "port": str(link)}
        words += ["--link", str(link)]
    words += ["--tr", str(TR_S), "--jitter-ms", str(JITTER_MS), "--start-after", "0.5", "--wait-for-line"]
    scanner = subprocess.Popen(
        [sys.executable, "-m", "experiments.cli", "simulate", "scanner", *words],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    assert scanner.stdin is not None  # noqa: S101 - it was opened as a pipe
    assert scanner.stdout is not None  # noqa: S101 - it was opened as a pipe
    scanner.stdout.readline()  # ready
    source = open_trigger(Scanner.model_validate({"tr_s": 2, "volumes": 1, "trigger": trigger}))
    try:
        info = source.open()
        cores_before = psutil.cpu_times()
        scanner.stdin.write("go\n")
        scanner.stdin.flush()
        scanner.stdout.readline()  # all is sent; meanwhile the trigger's own thread reads
        time.sleep(SETTLE_S)
        heard = _pulses(source.poll())
    finally:
        source.close()
        scanner.kill()
    return _match(info, pd.read_csv(out), heard, _stolen(cores_before, psutil.cpu_times()))


def _pulses(events: Any) -> list[Pulse]:
    # a scanner that has sent all goes, which the LSL reader has something to say of
    heard = [event for event in events if not isinstance(event, TriggerNotice)]
    for event in heard:
        if not isinstance(event, Pulse):
            raise SystemExit(f"the trigger said {event}")
    return heard


def _stolen(before: Any, after: Any) -> float:
    spent_s = sum(after) - sum(before)
    return (getattr(after, "steal", 0.0) - getattr(before, "steal", 0.0)) / spent_s if spent_s else 0.0


def _match(info: TriggerInfo, sent: pd.DataFrame, heard: list[Pulse], stolen: float) -> Heard:
    before_s, after_s = sent.before_s.to_numpy(float), sent.after_s.to_numpy(float)
    taken: dict[int, Pulse] = {}
    for pulse in heard:
        nearest = int(np.argmin(np.abs(before_s - pulse.time_s)))
        if nearest not in taken and abs(before_s[nearest] - pulse.time_s) < NEAR_S:
            taken[nearest] = pulse
    places = np.array(sorted(taken), dtype=int)
    time_s = np.array([taken[place].time_s for place in places])
    return Heard(
        info,
        len(sent),
        len(heard) - len(taken),
        time_s - before_s[places],
        np.maximum(before_s[places] - time_s, time_s - after_s[places]).clip(0),
        np.array([taken[place].uncertainty_s for place in places]),
        np.array([taken[place].received_s for place in places]) - before_s[places],
        stolen,
    )


def row(path: str, heard: Heard) -> str:
    """Return one line of the table, in milliseconds."""
    error_ms, stated_ms = 1000 * heard.error_s, 1000 * np.median(heard.uncertainty_s)
    size_ms = np.abs(error_ms)
    within = np.mean(heard.off_s <= heard.uncertainty_s)
    return (
        f"  {path:17}{len(error_ms):6}{heard.sent - len(error_ms):6}{heard.extra:7}"
        f"{np.median(error_ms):9.3f}{np.median(size_ms):9.3f}{np.percentile(size_ms, 99):9.3f}{size_ms.max():9.3f}"
        f"{stated_ms:9.3f}{within:9.1%}{1000 * np.median(heard.delay_s):9.3f}{heard.stolen:8.1%}"
    )


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--pulses", type=int, default=300)
    parser.add_argument("--beside", choices=["none", "busy"], default="none")
    parser.add_argument("--paths", nargs="*", default=list(PATHS), choices=list(PATHS))
    options = parser.parse_args()
    print(
        headline(
            f"stamps of {options.pulses} pulses, TR {TR_S} s, jitter {JITTER_MS:g} ms, beside: {options.beside}"
        )
    )
    print(
        "                                        error, ms                  of its size, ms            within  delay, ms   host\n"
        "  path                 n  lost  extra   median   median     99 %      max   stated   stated   median   stole"
    )
    with lab() as place, loaded([options.beside]):
        for path in options.paths:
            print(row(path, measure(path, options.pulses, place.folder)), flush=True)


if __name__ == "__main__":
    main()
