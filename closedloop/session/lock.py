"""One engine at a time: a session folder is locked as long as a program writes its session file."""

from __future__ import annotations

from pathlib import Path
from types import TracebackType

from filelock import FileLock, Timeout

from closedloop.errors import DiskError, SessionInUseError

FILE_NAME = "session.lock"


class SessionLock:
    """Holds a session folder for this process. A context manager; to be released once.

    The operating system holds the lock, not the file's being there: when the process ends in whatever way,
    SIGKILL and power cut included, the folder is free again. The empty file stays.

    Args:
        folder: the session folder, which must exist.

    Raises:
        SessionInUseError: another program has it.
        DiskError: the folder can't be written.
    """

    def __init__(self, folder: Path) -> None:
        if not folder.is_dir():
            raise DiskError(
                str(folder),
                found="no such folder",
                expected="a session folder that can be written",
                remedy="Make the folder, or name another one.",
            )
        self._lock = FileLock(folder / FILE_NAME)
        try:
            self._lock.acquire(blocking=False)
        except Timeout as error:
            raise SessionInUseError(
                str(folder),
                found="another program that has this session open, and writes it",
                expected="one program at a time",
                remedy="Let the running session end, or end it there; reading it meanwhile disturbs nothing.",
            ) from error
        except OSError as error:
            raise DiskError(
                str(folder),
                found=error.strerror or str(error),
                expected="a session folder that can be written",
                remedy="Check its permissions, and whether the disk is full.",
            ) from error

    def release(self) -> None:
        """Let go of the folder; safe to call twice."""
        self._lock.release()

    def __enter__(self) -> SessionLock:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.release()
