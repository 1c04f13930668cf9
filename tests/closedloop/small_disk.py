"""Disks of a test's own, in memory, that can be full, grow, or be read alone."""

from __future__ import annotations

import os
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest

_GONE_S = 20.0


@dataclass(frozen=True)
class Disk:
    """A disk that is mounted."""

    folder: Path

    def remount(self, *options: str) -> None:
        """Change it while it is in use: another size, or ``ro``."""
        _mount("-o", ",".join(("remount", *options)), str(self.folder))

    def fill(self, leave_kb: int) -> None:
        """Leave so much room, and no more."""
        room = os.statvfs(self.folder)
        used_kb = (room.f_blocks - room.f_bfree) * room.f_frsize // 1024
        self.remount(f"size={used_kb + leave_kb}k")


@contextmanager
def mounted(folder: Path, size: str) -> Iterator[Disk]:
    """Mount a disk on a new folder, and take it away again; skip the test where that is not permitted.

    Nothing may stay open on it in the end: then taking it away fails, and the test with it.
    """
    if not hasattr(os, "geteuid") or os.geteuid() != 0:
        pytest.skip("only root can mount a disk")
    folder.mkdir()
    try:
        _mount("-t", "tmpfs", "-o", f"size={size}", "tmpfs", str(folder))
    except subprocess.CalledProcessError as error:
        pytest.skip(f"mounting is not permitted here: {error.stderr.strip()}")
    try:
        yield Disk(folder)
    finally:
        _unmount(folder)


def _mount(*words: str) -> None:
    subprocess.run(["mount", *words], check=True, capture_output=True, text=True)  # noqa: S607 - mount stands elsewhere on each system


def _unmount(folder: Path) -> None:
    """Take a disk away; the processes of a session that has ended may take a moment to go."""
    until_s = time.monotonic() + _GONE_S
    command = ["umount", str(folder)]
    while subprocess.run(command, check=False, capture_output=True).returncode and time.monotonic() < until_s:
        time.sleep(0.1)
    if folder.is_mount():
        subprocess.run(command, check=True)
