"""Tells the person how a session goes on if the engine itself is killed and can't say it.

A small process of its own waits for the engine's end. It learns of it by the end of a pipe, which the
operating system closes however the engine ends.
"""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

# Nothing is imported but sys, so that it takes hardly any memory and no processor time.
_WAIT = (
    "import sys\n"
    "if sys.stdin.read() != 'done':\n"
    "    sys.stderr.write('\\nerror engine process\\n' + sys.argv[1] + '\\n')\n"
)


@contextmanager
def parting_words(way_on: str) -> Iterator[None]:
    """Have it said what died and how to go on, should this process be killed inside the block.

    Args:
        way_on: the command by which the session goes on.
    """
    words = (
        "  found      it was killed\n"
        "  expected   it to run as long as the session\n"
        "  what to do Window and streams are closed; everything acknowledged is in the session file. "
        f"To go on: {way_on}"
    )
    # out of the terminal's reach, so that Ctrl-C ends the engine and not the one who waits for it
    apart: dict[str, Any] = {"start_new_session": True}
    if sys.platform == "win32":
        apart = {"creationflags": subprocess.CREATE_NEW_PROCESS_GROUP}
    waiting = subprocess.Popen(
        [sys.executable, "-I", "-S", "-c", _WAIT, words], stdin=subprocess.PIPE, text=True, **apart
    )
    try:
        yield
    finally:
        try:
            waiting.communicate("done", timeout=5)
        except (OSError, subprocess.TimeoutExpired):
            waiting.kill()  # killed before us, or stopped: it has nothing to say
            waiting.wait()
