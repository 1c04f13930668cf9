"""Sends what happened to the engine without ever holding up the frame loop."""

from __future__ import annotations

import queue
import threading
from multiprocessing.connection import Connection

from hardware.stage.messages import Answer


class Outbox:
    """A queue and a thread of its own: if the engine does not read, the thread waits and nothing is lost.

    The queue has no bound on purpose. A message is some hundred bytes and a trial makes two, so an engine
    that sleeps for an hour costs some megabytes; a bound would cost either frames or data.

    The thread must have the frame loop's own priority, so ``start`` comes after that was raised: while it
    sends it holds Python's global lock, and an ordinary thread can be put aside for many milliseconds by
    any other program, with the lock in its hands.

    Args:
        connection: writing end of the pipe to the engine.
    """

    def __init__(self, connection: Connection) -> None:
        self._connection = connection
        self._queue: queue.SimpleQueue[Answer | None] = queue.SimpleQueue()
        self.broken = False
        self._thread = threading.Thread(target=self._send_all, name="stage outbox", daemon=True)

    def start(self) -> None:
        """Begin to send, with the priority of the caller."""
        self._thread.start()

    def put(self, answer: Answer) -> None:
        """Send a message, later."""
        self._queue.put(answer)

    def close(self, timeout_s: float) -> None:
        """Send what is left (blocks up to ``timeout_s``), and close the pipe."""
        self._queue.put(None)
        if self._thread.ident is None:
            self.start()
        self._thread.join(timeout_s)

    def _send_all(self) -> None:
        try:
            while (answer := self._queue.get()) is not None:
                self._connection.send(answer)
        except OSError:
            self.broken = True  # the engine is gone; the frame loop sees this and ends
        self._connection.close()
