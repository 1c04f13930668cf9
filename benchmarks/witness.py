"""Independent witnesses of a session: of what stood on the screen and when, and of the markers sent over LSL.

``hardware.observer`` samples the photodiode patch through its own X connection, in its own process. Its log
is compared with the session file afterwards; nothing else joins the two but the machine's clock.
"""

from __future__ import annotations

import contextlib
import json
import os
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pylsl

from closedloop.ports import Float64
from closedloop.protocol.load import load_protocol
from closedloop.session import SessionReader
from experiments.demo import PROTOCOL, subject_arguments
from hardware.lsl.markers import STREAM_NAME

_PRIORITY = 8  # below stage and X server, above all else: or it looks away whenever the machine is busy


@contextmanager
def observed(log: Path, display: str, rate_hz: float = 4000.0) -> Iterator[None]:
    """Watch the patch of the demo's window inside the block; write ``log`` (.npz) at its end."""
    words = subject_arguments(load_protocol(PROTOCOL).protocol)
    x, y = (words[words.index(name) + 1] for name in ("--patch-x", "--patch-y"))
    command = [sys.executable, "-m", "hardware.observer", "--x", x, "--y", y, "--display", display]
    command += ["--out", str(log), "--seconds", "100000", "--rate-hz", str(rate_hz)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as observer:
        with contextlib.suppress(PermissionError):
            os.sched_setscheduler(observer.pid, os.SCHED_FIFO, os.sched_param(_PRIORITY))
        assert observer.stdout is not None  # noqa: S101 - it was opened as a pipe
        if observer.stdout.readline() != "ready\n":
            raise AssertionError("the observer does not start")
        try:
            yield
        finally:
            observer.send_signal(signal.SIGINT)
            observer.wait(30)


@dataclass(frozen=True)
class Comparison:
    """A session's log against the witness's.

    Attributes:
        shown: trials that came on, valid or not.
        onsets_seen: times the patch went bright.
        valid: trials that counted.
        valid_with_missed_frame: of these, how many had a missed frame by the session's own record.
        off_s: ``(valid,)``, logged onset minus the middle of the interval in which it was seen.
        beyond_s: ``(valid,)``, how far the logged onset lies outside of that interval (0: inside).
        frames_off: ``(valid,)``, frames on the screen as seen minus those planned; no whole number.
        frames_doubt: ``(valid,)``, by how many frames the witness may be wrong in that.
        half_s: ``(valid,)``, half the interval, the witness's own uncertainty.
        sampled_hz: how often it looked.
        longest_gap_s: for how long at most it did not.
    """

    shown: int
    onsets_seen: int
    valid: int
    valid_with_missed_frame: int
    off_s: Float64
    beyond_s: Float64
    frames_off: Float64
    frames_doubt: Float64
    half_s: Float64
    sampled_hz: float
    longest_gap_s: float

    @property
    def as_planned(self) -> npt.NDArray[np.bool_]:
        """Whether each was on the screen for the planned frames, as far as the witness can tell."""
        return np.asarray(np.abs(self.frames_off) - self.frames_doubt < 0.5)

    def lines(self) -> list[tuple[str, str]]:
        """Return the figures in words."""
        off_ms, beyond_ms, half_ms = (1000 * np.abs(a) for a in (self.off_s, self.beyond_s, self.half_s))
        return [
            ("trials that came on, onsets seen", f"{self.shown}, {self.onsets_seen}"),
            ("valid trials", f"{self.valid}"),
            ("|logged - seen| onset, ms (50, 99 %, max)", _percentiles(off_ms)),
            ("beyond the interval it was seen in, ms (50, 99 %, max)", _percentiles(beyond_ms)),
            (
                "on screen for the planned frames, as seen",
                f"{int(self.as_planned.sum())} of {self.valid}",
            ),
            ("valid trials with a missed frame", f"{self.valid_with_missed_frame}"),
            ("uncertainty of the witness, ms (50, 99 %, max)", _percentiles(half_ms)),
            (
                "the witness looked",
                f"{self.sampled_hz:.0f} times/s, longest gap {1e3 * self.longest_gap_s:.1f} ms",
            ),
        ]


def compare(folder: Path, log: Path) -> Comparison:
    """Compare a session's file with the witness's log of it."""
    with SessionReader(folder) as reader:
        trials = reader.table("trials")
        period_s = reader.details("runs", "display")[-1]["period_s"]
    with np.load(log) as seen:
        before_s, after_s, bright = seen["t_before"], seen["t_after"], seen["level"] > 127
        sampled_hz = float(seen["samples"] / seen["seconds"])
        longest_gap_s = float(seen["longest_gap_s"])
    begun_s = float(trials.ordered_s.min())  # before that the stage measured the display
    on, off = (choice & (after_s > begun_s) for choice in (bright, ~bright))
    middle_s = (before_s + after_s) / 2
    valid = trials[trials.status == "valid"]
    logged_s = valid.onset_s.to_numpy(dtype=np.float64)
    nearest = np.abs(middle_s[on][None, :] - logged_s[:, None]).argmin(axis=1)
    seen_s = middle_s[on][nearest]
    end = np.searchsorted(middle_s[off], seen_s, side="right")
    gone_s, gone_half_s = middle_s[off][end], ((after_s - before_s)[off] / 2)[end]
    first_s, last_s = before_s[on][nearest], after_s[on][nearest]
    return Comparison(
        shown=int(trials.onset_s.notna().sum()),
        onsets_seen=int(on.sum()),
        valid=len(valid),
        valid_with_missed_frame=int((valid.missed > 0).sum()),
        off_s=logged_s - seen_s,
        beyond_s=np.maximum(np.maximum(first_s - logged_s, logged_s - last_s), 0.0),
        frames_off=(gone_s - seen_s) / period_s - valid.on_frames.to_numpy(dtype=np.float64),
        frames_doubt=((last_s - first_s) / 2 + gone_half_s) / period_s,
        half_s=(last_s - first_s) / 2,
        sampled_hz=sampled_hz,
        longest_gap_s=longest_gap_s,
    )


def _percentiles(values: Float64) -> str:
    return ", ".join(f"{value:.2f}" for value in np.percentile(values, [50, 99, 100]))


class Listener(threading.Thread):
    """Hears the session's markers over LSL, as a recorder would."""

    def __init__(self) -> None:
        super().__init__(daemon=True)
        self.heard: list[tuple[float, dict[str, object]]] = []
        self.ended = threading.Event()

    def run(self) -> None:
        """Find the marker stream and note what it says until ``ended`` is set."""
        found: list[pylsl.StreamInfo] = []
        while not found and not self.ended.is_set():
            found = pylsl.resolve_byprop("name", STREAM_NAME, timeout=1.0)
        if not found:
            return
        inlet = pylsl.StreamInlet(found[0], recover=False)
        while not self.ended.is_set():
            try:
                sample, time_s = inlet.pull_sample(timeout=0.2)
            except pylsl.util.LostError:
                return
            if sample:
                self.heard.append((time_s, json.loads(sample[0])))


@dataclass(frozen=True)
class Watched:
    """A session that ended, and what others noted of it."""

    folder: Path
    exit_code: int
    told: str
    seen: Comparison
    markers: list[tuple[float, dict[str, object]]]
