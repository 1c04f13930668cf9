"""Where the command line prints: results on standard output, everything else on standard error."""

from __future__ import annotations

import errno
import logging
import os
import sys
from typing import Any, TextIO, cast

from rich.console import Console
from rich.markup import escape

log = logging.getLogger(__name__)

# the terminal was closed, ssh was lost, or whoever read our words has gone
_NOBODY_READS = (errno.EIO, errno.EPIPE)


class LastingStderr:
    """Standard error as it is just now, which takes words even if nobody can read them any more.

    A session that has lost its terminal must still be closed in order.
    """

    def write(self, text: str) -> int:
        """Write what can be written."""
        try:
            return self._stream.write(text)
        except OSError as error:
            self._lose(error)
            return len(text)

    def flush(self) -> None:
        """Flush what can be flushed."""
        try:
            self._stream.flush()
        except OSError as error:
            self._lose(error)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._stream, name)

    @property
    def _stream(self) -> TextIO:
        # a live display puts itself before standard error, and prints through us
        return cast("TextIO", getattr(sys.stderr, "rich_proxied_file", sys.stderr))

    def _lose(self, error: OSError) -> None:
        """Lose a line; where none can ever be read again, let the rest go nowhere, Python's last flush too."""
        if error.errno in _NOBODY_READS:
            nowhere = os.open(os.devnull, os.O_WRONLY)
            os.dup2(nowhere, self._stream.fileno())
            os.close(nowhere)


out = Console()
err = Console(file=cast("TextIO", LastingStderr()), stderr=True)


def say(text: str) -> None:
    """Tell the person at the rig, and the session's log."""
    log.info("%s", text)
    err.print(escape(text), highlight=False, soft_wrap=True)
