"""Writing files whole: under a temporary name first, then renamed, so that nobody reads half of one."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Callable
from pathlib import Path

from closedloop.errors import DiskError


def write_whole(path: Path, write: Callable[[Path], None]) -> Path:
    """Have a file written beside its place, then moved there in one step.

    Args:
        path: the file; its folder is made.
        write: writes the file at the path that it is given.

    Raises:
        DiskError: the folder can't be written, or the disk is full. An older file stands as it was.
    """
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        handle, name = tempfile.mkstemp(dir=path.parent, prefix=f".{path.stem}-", suffix=path.suffix)
        os.close(handle)
        temporary = Path(name)
        try:
            temporary.chmod(0o666 & ~_umask())  # mkstemp makes it readable by its owner alone
            write(temporary)
            temporary.replace(path)
        finally:
            temporary.unlink(missing_ok=True)
    except OSError as error:
        raise _refused(path, error, "to be able to write", "Make room on the disk or check") from error
    return path


def remove(path: Path) -> Path:
    """Remove a file, and return its path.

    Raises:
        DiskError: it can't be removed.
    """
    try:
        path.unlink(missing_ok=True)
    except OSError as error:
        raise _refused(
            path, error, "to be able to remove it", "Close what holds it open, and check"
        ) from error
    return path


def with_suffix(at: Path, suffix: str) -> Path:
    """Return the path of one of several files of one name: ``run-1`` and ``bold.json``, ``run-1_bold.json``."""
    return at.with_name(f"{at.name}_{suffix}")


def write_text(path: Path, text: str) -> Path:
    """Write a UTF-8 text file whole."""
    return write_whole(path, lambda temporary: _put_text(temporary, text))


def _refused(path: Path, error: OSError, expected: str, remedy: str) -> DiskError:
    return DiskError(
        str(path),
        found=error.strerror or str(error),
        expected=expected,
        remedy=f"{remedy} the folder's permissions; the session file is unharmed.",
    )


def _put_text(path: Path, text: str) -> None:
    path.write_text(text, encoding="utf-8", newline="\n")


def _umask() -> int:
    mask = os.umask(0)
    os.umask(mask)
    return mask
