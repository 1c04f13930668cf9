"""The disk that the session file will lie on: how fast it keeps a trial safe, and how much room it has."""

from __future__ import annotations

import shutil
import sqlite3
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from closedloop.errors import DiskError
from closedloop.protocol.models import Protocol
from hardware.check.finding import Finding, Verdict, at_most

COMMIT_MS = 10.0
"""Median of a commit: a trial of 200 ms takes a handful of them."""

SLOW_COMMIT_MS = 100.0
"""99th percentile: the loop waits for a slow commit, the stage does not."""

BASE_ROOM_GB = 1.0
"""Room for images, frames, trials, tables and report of any session."""

_OWN_DISK = "Write to a disk of this machine's own (an SSD), not to a network or USB disk."
_COMMITS, _QUICK_COMMITS = 300, 50
_RECORD_BYTES = 4096
_BYTES_PER_SAMPLE = 8.0  # a number and its part of the stamp, hardly compressed
_DEFAULT_MINUTES = 120.0


def judge_disk(folder: Path, protocol: Protocol | None, *, quick: bool = False) -> Sequence[Finding]:
    """Commit as a session file does, and look at the room (blocks a second at most on a good disk).

    Args:
        folder: where session folders will be made; it need not be there yet.
        protocol: for how much a session will write; None: the least.
        quick: fewer commits.

    Raises:
        DiskError: the folder can't be written.
    """
    place = _existing(folder)
    times_ms = commit_times_ms(place, _QUICK_COMMITS if quick else _COMMITS)
    free_gb = shutil.disk_usage(place).free / 1e9
    needed_gb = room_needed_gb(protocol)
    return [
        at_most("disk: a safe commit, median", float(np.median(times_ms)), COMMIT_MS, "ms", _OWN_DISK),
        at_most(
            "disk: a safe commit, 99 %",
            float(np.percentile(times_ms, 99)),
            SLOW_COMMIT_MS,
            "ms",
            _OWN_DISK,
            required=False,
        ),
        Finding(
            "disk: free room",
            free_gb,
            "GB",
            Verdict.OK if free_gb >= needed_gb else Verdict.BAD,
            f"at least {needed_gb:.1f} GB in {place}",
            "Make room, or set output.folder to another disk.",
        ),
    ]


def commit_times_ms(folder: Path, commits: int) -> np.ndarray[tuple[int], np.dtype[np.float64]]:
    """Return the times of commits to an SQLite file with a session file's settings: WAL, synchronous FULL.

    Raises:
        DiskError: the folder can't be written.
    """
    times_s = []
    try:
        with tempfile.TemporaryDirectory(prefix=".closedloop-check-", dir=folder) as scratch:
            connection = sqlite3.connect(Path(scratch) / "check.sqlite", isolation_level=None)
            connection.execute("PRAGMA journal_mode = WAL")
            connection.execute("PRAGMA synchronous = FULL")
            connection.execute("CREATE TABLE record (number INTEGER PRIMARY KEY, content BLOB)")
            content = bytes(_RECORD_BYTES)
            for _ in range(commits):
                before_s = time.perf_counter()
                connection.execute("INSERT INTO record (content) VALUES (?)", (content,))
                times_s.append(time.perf_counter() - before_s)
            connection.close()
    except (OSError, sqlite3.Error) as error:
        raise DiskError(
            str(folder),
            found=f"it can't be written: {error}",
            expected="a folder that a session can be written into",
            remedy="Correct output.folder, its permissions, or make room.",
        ) from error
    return np.array(times_s) * 1e3


def room_needed_gb(protocol: Protocol | None) -> float:
    """Return the room that a session may need, as far as its protocol tells."""
    if protocol is None:
        return BASE_ROOM_GB
    response = protocol.response
    samples_hz = (response.expected_channels or 1) * (response.expected_rate_hz or 1000.0)
    seconds = (protocol.limits.minutes or _DEFAULT_MINUTES) * 60
    return BASE_ROOM_GB + samples_hz * seconds * _BYTES_PER_SAMPLE / 1e9


def _existing(folder: Path) -> Path:
    folder = folder.absolute()
    return next(place for place in (folder, *folder.parents) if place.is_dir())
