"""Keys typed in the terminal, read one at a time without waiting. What is of one platform stays in here."""

from __future__ import annotations

import codecs
import os
import re
import select
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from typing import TextIO, TypeAlias

ReadKeys: TypeAlias = Callable[[], str]

LEFT, RIGHT = "\u2190", "\u2192"  # what the arrow keys are given out as, to those who want them

# arrow and function keys come as several characters
_ESCAPE_SEQUENCE = re.compile(r"\x1b[\[O][0-9;]*[A-Za-z~]")
_ARROWS = {"\x1b[D": LEFT, "\x1bOD": LEFT, "\x1b[C": RIGHT, "\x1bOC": RIGHT}
_WINDOWS_ARROWS = {"K": LEFT, "M": RIGHT}
_READ_AT_ONCE = 1024


@contextmanager
def typed_keys(stream: TextIO | None = None, *, arrows: bool = False) -> Iterator[ReadKeys]:
    """Read keys as they are typed; the terminal is put back as it was at the end, come what may.

    Ctrl-C stays what it is. Without a terminal (a pipe, a job in the background) no keys are heard.

    Args:
        stream: the terminal; None: standard input.
        arrows: give out the left and right arrow keys as ``LEFT`` and ``RIGHT`` instead of dropping them.

    Yields:
        A function that returns the characters typed since its last call, possibly none, at once.
    """
    stream = sys.stdin if stream is None else stream
    if not _is_terminal(stream):
        yield lambda: ""
    elif sys.platform == "win32":
        yield _windows_keys(arrows)
    else:
        with _posix_keys(stream.fileno(), arrows) as read:
            yield read


def _is_terminal(stream: TextIO | None) -> bool:
    try:
        return stream is not None and stream.isatty()
    except ValueError:  # closed
        return False


@contextmanager
def _posix_keys(fd: int, arrows: bool) -> Iterator[ReadKeys]:
    import termios
    import tty

    if os.tcgetpgrp(fd) != os.getpgrp():
        # the system stops a background job that touches the terminal
        yield lambda: ""
        return
    before = termios.tcgetattr(fd)
    named = _ARROWS if arrows else {}
    decoder = codecs.getincrementaldecoder("utf-8")(errors="ignore")
    # not its own line-wise, echoing mode, but with Ctrl-C still a signal
    tty.setcbreak(fd)

    def read() -> str:
        ready, _, _ = select.select([fd], [], [], 0)
        try:
            data = os.read(fd, _READ_AT_ONCE) if ready else b""
        except OSError:
            data = b""  # the terminal was closed: no more keys
        return _ESCAPE_SEQUENCE.sub(lambda key: named.get(key[0], ""), decoder.decode(data))

    try:
        yield read
    finally:
        # a terminal that was closed has nothing to be put back
        with suppress(termios.error):
            termios.tcsetattr(fd, termios.TCSADRAIN, before)


def _windows_keys(arrows: bool) -> ReadKeys:
    import msvcrt

    def read() -> str:
        typed = ""
        while msvcrt.kbhit():  # type: ignore[attr-defined]  # exists on Windows only
            key = msvcrt.getwch()  # type: ignore[attr-defined]  # exists on Windows only
            if key in ("\x00", "\xe0"):
                key = msvcrt.getwch()  # type: ignore[attr-defined]  # second half of an arrow or function key
                typed += _WINDOWS_ARROWS.get(key, "") if arrows else ""
            else:
                typed += key
        return typed

    return read
