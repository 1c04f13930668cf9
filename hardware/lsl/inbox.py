"""The engine's end of the pipe: a thread that reads ahead, so that ``poll`` never waits."""

from __future__ import annotations

import threading
import time
from collections import deque
from typing import Any, BinaryIO

from hardware.lsl import messages


class Inbox:
    """Reading thread and what it has read.

    It reads no further than ``limit_bytes`` ahead; then the pipe fills, and the bound of the queue at the
    other end counts.

    Args:
        pipe: where to read.
        limit_bytes: how much may wait here.

    Attributes:
        heard_monotonic_s: when the last message came.
        heartbeat: the newest; None: there was none. All messages before it are taken by a ``take`` that comes
            after reading this.
    """

    def __init__(self, pipe: BinaryIO, limit_bytes: int) -> None:
        self._pipe = pipe
        self._limit_bytes = limit_bytes
        self._queue: deque[tuple[int, Any]] = deque()
        self._bytes = 0
        self._ended = False
        self._closing = False
        self._changed = threading.Condition()
        self.heard_monotonic_s = time.monotonic()
        self.heartbeat: messages.Heartbeat | None = None
        self._thread = threading.Thread(target=self._run, name="lsl-inbox", daemon=True)
        self._thread.start()

    @property
    def ended(self) -> bool:
        """Whether the other end is gone and all that it said has been taken."""
        with self._changed:
            return self._ended and not self._queue

    @property
    def full(self) -> bool:
        """Whether the thread waits for us to take something."""
        return self._bytes > self._limit_bytes

    def take(self) -> list[Any]:
        """Return what is there, in order, without waiting."""
        if not self._queue:
            return []
        with self._changed:
            taken = [message for _, message in self._queue]
            self._queue.clear()
            self._bytes = 0
            self._changed.notify_all()
        return taken

    def take_one(self) -> Any | None:
        """Return the oldest message alone, without waiting; None if there is none."""
        with self._changed:
            if not self._queue:
                return None
            size, message = self._queue.popleft()
            self._bytes -= size
            self._changed.notify_all()
            return message

    def discard(self) -> None:
        """From now on read and forget, so that the other end can finish."""
        with self._changed:
            self._closing = True
            self._queue.clear()
            self._bytes = 0
            self._changed.notify_all()

    def wait(self, timeout_s: float) -> None:
        """Wait until there is something, or the other end is gone, at most so long."""
        with self._changed:
            self._changed.wait_for(lambda: bool(self._queue) or self._ended, timeout_s)

    def close(self, timeout_s: float = 1.0) -> None:
        """Wait for the reading thread; the other end must be gone, or soon so."""
        self.discard()
        self._thread.join(timeout_s)

    def _run(self) -> None:
        while True:
            try:
                payload = messages.read(self._pipe)
            except (OSError, ValueError):  # ValueError: closed at our end
                payload = None
            if payload is None:
                break
            message = messages.unpack(payload)
            with self._changed:
                self.heard_monotonic_s = time.monotonic()
                if isinstance(message, messages.Heartbeat):
                    self.heartbeat = message
                elif not self._closing:
                    self._queue.append((len(payload), message))
                    self._bytes += len(payload)
                    self._changed.notify_all()
                self._changed.wait_for(lambda: self._bytes <= self._limit_bytes or self._closing)
        with self._changed:
            self._ended = True
            self._changed.notify_all()
