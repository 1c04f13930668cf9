"""The pages of a session file with its log put in, read from the disk one at a time: a session may be larger than memory."""

from __future__ import annotations

from contextlib import ExitStack
from pathlib import Path
from types import TracebackType

from closedloop.session import journal
from closedloop.session.salvage.log import Log, read_log
from closedloop.session.salvage.pages import PAGE_BYTES


class Content:
    """A session file, log included. A context manager.

    Args:
        source: the session file; it may be gone, if its log is there.

    Attributes:
        pages: how many there are, the last one perhaps in part.
        count: the same in whole pages.
        bad: frames of the log that are damaged.

    Raises:
        OSError: it can't be read; so does each page.
    """

    def __init__(self, source: Path) -> None:
        log = journal.beside(source, journal.LOG)
        with ExitStack() as files:
            self._file = files.enter_context(source.open("rb", buffering=0)) if source.is_file() else None
            self._log = files.enter_context(log.open("rb", buffering=0)) if log.is_file() else None
            found = read_log(self._log) if self._log else Log({})
            self._files = files.pop_all()
        self._places, self.bad = found.places, found.bad
        size = source.stat().st_size if self._file else 0
        size = max(size, PAGE_BYTES * max(self._places, default=0))
        self.pages = size / PAGE_BYTES
        self.count = -(-size // PAGE_BYTES)

    def page(self, number: int) -> bytes:
        """Return a page, from 1; what is not there of it is zeros."""
        if number in self._places and self._log is not None:
            self._log.seek(self._places[number])
            return self._log.read(PAGE_BYTES)
        if self._file is None:
            return bytes(PAGE_BYTES)
        self._file.seek((number - 1) * PAGE_BYTES)
        return self._file.read(PAGE_BYTES).ljust(PAGE_BYTES, b"\0")

    def __enter__(self) -> Content:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._files.close()
