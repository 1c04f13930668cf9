"""Keeps programs that must not be late in memory, where the system lets it.

A page of a program's code that has not been used for a while may be dropped, and is then read from disk when it
is needed: tens of milliseconds, more while the disk is busy with a session's file. Linux only; elsewhere and where
it is not permitted things stay as they are, and the words say so.
"""

from __future__ import annotations

import ctypes
import mmap
import os
import sys
from pathlib import Path

import numpy as np

_MCL_CURRENT, _MCL_FUTURE, _MCL_ONFAULT = 1, 2, 4  # <sys/mman.h> of Linux


def lock_own_memory() -> str:
    """Keep every page that this process has used, or will use, in memory; return what was granted, in words."""
    if not sys.platform.startswith("linux"):
        return f"not locked: not tried on {sys.platform}"
    libc = ctypes.CDLL(None, use_errno=True)
    if libc.mlockall(_MCL_CURRENT | _MCL_FUTURE | _MCL_ONFAULT):
        reason = os.strerror(ctypes.get_errno())
        return f"not locked: {reason} (this user needs an unlimited memlock limit)"
    return "locked"


class LockedFiles:
    """Keeps the program and library files of another process in memory for as long as this object lives.

    For programs that can't do so themselves, such as an X server.

    Args:
        pid: of the process; its files are those mapped at this moment.
    """

    def __init__(self, pid: int) -> None:
        self._held: list[mmap.mmap] = []
        if not sys.platform.startswith("linux"):
            return
        libc = ctypes.CDLL(None, use_errno=True)
        for path in _program_files(pid):
            with path.open("rb") as file:
                pages = mmap.mmap(file.fileno(), 0, mmap.MAP_SHARED, mmap.PROT_READ)
            self._held.append(pages)
            view = np.frombuffer(pages, np.uint8)  # ctypes gives the address of writable memory only
            libc.mlock(ctypes.c_void_p(view.ctypes.data), ctypes.c_size_t(len(pages)))

    @property
    def size_bytes(self) -> int:
        """How much is held."""
        return sum(len(pages) for pages in self._held)

    def release(self) -> None:
        """Let the files go."""
        self._held.clear()


def _program_files(pid: int) -> list[Path]:
    """Return the files of which a process has executable pages."""
    found: dict[Path, None] = {}
    try:
        lines = Path(f"/proc/{pid}/maps").read_text(encoding="utf-8").splitlines()
    except OSError:  # it has ended, or is another user's
        return []
    for line in lines:
        fields = line.split(maxsplit=5)
        if len(fields) == 6 and "x" in fields[1] and fields[5].startswith("/"):
            found[Path(fields[5])] = None
    return [path for path in found if path.is_file()]
