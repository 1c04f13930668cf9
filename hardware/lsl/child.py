"""Starts, watches and ends the ingest process."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
import tempfile
from typing import Any, BinaryIO, cast

_LAST_WORDS = 600  # characters of the child's stderr that go into the reason of its death
# Not multiprocessing: its spawn imports the parent's main module into the child, and with the command line
# that could be torch. The child gets the parent's import path, and imports what it needs.
_BOOT = "import json, sys; sys.path[:] = json.loads(sys.argv[1]); from {module} import main; main()"


class IngestChild:
    """The running process, its pipes, and its last words.

    Args:
        module: whose ``main`` it runs; it speaks ``hardware.lsl.messages`` on stdin and stdout.
        name: what it is called in the reason of its death.
    """

    def __init__(self, module: str = "hardware.lsl.process", name: str = "ingest process") -> None:
        self._name = name
        self._stderr = tempfile.TemporaryFile()  # noqa: SIM115 - lives as long as this object
        # its own group, so that Ctrl-C in the terminal reaches the engine alone
        apart: dict[str, Any] = {"start_new_session": True}
        if sys.platform == "win32":
            apart = {"creationflags": subprocess.CREATE_NEW_PROCESS_GROUP}
        self._process = subprocess.Popen(
            [sys.executable, "-c", _BOOT.format(module=module), json.dumps(sys.path)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=self._stderr,
            **apart,
        )
        self.pid = self._process.pid
        self.to_child = cast("BinaryIO", self._process.stdin)
        self.from_child = cast("BinaryIO", self._process.stdout)

    def reason(self) -> str:
        """Return in words how it ended (waits briefly for its status)."""
        try:
            status = self._process.wait(timeout=0.5)
        except subprocess.TimeoutExpired:
            return "its pipe is closed, though it still runs"
        how = f"status {status}"
        if status < 0:
            how = f"signal {signal.Signals(-status).name}"
        words = self._last_words()
        return f"the {self._name} ended with {how}" + (f"; its last words: {words}" if words else "")

    def end(self, timeout_s: float) -> None:
        """Wait for it to end, at most so long; kill it otherwise. Its pipes are closed afterwards."""
        try:
            self._process.wait(timeout_s)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()

    def close_pipes(self) -> None:
        """Close both pipes; nobody may be reading or writing them any more."""
        for pipe in (self.to_child, self.from_child):
            try:
                pipe.close()
            except OSError:  # what was still to be written has no reader: the child is gone
                continue
        self._stderr.close()

    def _last_words(self) -> str:
        size = self._stderr.seek(0, 2)
        self._stderr.seek(max(0, size - _LAST_WORDS))
        return " ".join(self._stderr.read().decode("utf-8", "replace").split())
