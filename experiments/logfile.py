"""The session's log.txt: what the program said and what happened, with wall-clock times, for people."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

_OURS = ("closedloop", "hardware", "experiments")


class LogFile(logging.Handler):
    """Keeps what is logged until there is a file for it, then writes it there.

    What cannot be written is lost: the session file says that the disk is full, the log need not as well.
    """

    def __init__(self) -> None:
        super().__init__(logging.INFO)
        self._kept: list[logging.LogRecord] = []
        self._file: logging.FileHandler | None = None

    def open(self, path: Path) -> None:
        """Write what was kept, and from now on everything, to the end of a file."""
        self._file = _QuietFile(path, encoding="utf-8")
        self._file.setFormatter(logging.Formatter("%(asctime)s %(levelname)s %(name)s: %(message)s"))
        for record in self._kept:
            self._file.handle(record)
        self._kept.clear()

    def emit(self, record: logging.LogRecord) -> None:
        """Take a line: all of ours, of other libraries only warnings."""
        if record.levelno < logging.WARNING and record.name.partition(".")[0] not in _OURS:
            return
        if self._file is None:
            self._kept.append(record)
        else:
            self._file.handle(record)

    def close_file(self) -> None:
        """Close the file, if there is one; what is logged from now on is kept again."""
        if self._file is not None:
            self._file.close()
            self._file = None


class _QuietFile(logging.FileHandler):
    def handleError(self, record: logging.LogRecord) -> None:  # noqa: N802  its name in the library
        """Lose the line, instead of filling the terminal with tracebacks."""

    def close(self) -> None:
        try:
            super().close()
        except OSError:
            return  # the disk is full: its last line is lost, too


@contextmanager
def remembered() -> Iterator[None]:
    """Keep what is logged inside the block for ``log_to``, which writes it from the first line on.

    A session's folder is made late, once its devices are open; its log begins at the beginning.
    """
    with _listening(LogFile()):
        yield


@contextmanager
def log_to(path: Path) -> Iterator[None]:
    """Write everything that is logged inside the block to a file, and before it what was remembered."""
    listening = next((item for item in logging.getLogger().handlers if isinstance(item, LogFile)), None)
    if listening is None:
        with remembered(), log_to(path):
            yield
        return
    listening.open(path)
    try:
        yield
    finally:
        listening.close_file()


@contextmanager
def _listening(handler: LogFile) -> Iterator[None]:
    root = logging.getLogger()
    level = root.level
    root.addHandler(handler)
    root.setLevel(min(level, logging.INFO))
    try:
        yield
    finally:
        root.removeHandler(handler)
        root.setLevel(level)
        handler.close()
