"""A bounded queue that a thread writes into a pipe, so that whoever fills it never waits.

When chunks come faster than the other end reads, the queue fills up, and what no longer fits is dropped
and counted: a ``StreamOverflow`` stands in the queue where the chunks are missing, so the reader sees it
in its place, with the right number, whenever it reads again.
"""

from __future__ import annotations

import threading
from collections import deque
from typing import Any, BinaryIO

from closedloop.ports import Chunk, StreamOverflow
from hardware.lsl import messages


class _Lost:
    """Chunks of one role dropped in a row; counted up in its place in the queue."""

    def __init__(self, role: str) -> None:
        self.role = role
        self.count = 0
        self.time_s = 0.0


class Outbox:
    """Queue and writing thread.

    Args:
        pipe: where to write; closed by nobody here.
        limit_bytes: how much may wait; only chunks are ever refused, since the rest is small and rare.
        name: of the thread.
    """

    def __init__(self, pipe: BinaryIO, limit_bytes: int, name: str) -> None:
        self._pipe = pipe
        self._limit_bytes = limit_bytes
        self._queue: deque[bytes | _Lost] = deque()
        self._lost: dict[str, _Lost] = {}  # those that still stand in the queue, by role
        self._bytes = 0
        self._writing = False
        self._broken = False
        self._changed = threading.Condition()
        self._thread = threading.Thread(target=self._run, name=name, daemon=True)
        self._thread.start()

    @property
    def broken(self) -> bool:
        """Whether the other end is gone; what is put then is dropped."""
        return self._broken

    @property
    def empty(self) -> bool:
        """Whether everything has been written."""
        with self._changed:
            return not self._queue and not self._writing

    def put(self, message: Any) -> None:
        """Queue a message that must not be lost."""
        self._append(messages.pack(message))

    def put_chunk(self, chunk: Chunk) -> bool:
        """Queue a chunk, or count it as lost.

        Returns:
            False if it was lost.
        """
        payload = messages.pack(chunk)
        with self._changed:
            if not self._bytes or self._bytes + len(payload) <= self._limit_bytes:
                # a later loss is another one: it stands behind this chunk
                self._lost.pop(chunk.role, None)
                self._push(payload)
                return True
            lost = self._lost.get(chunk.role)
            if lost is None:
                lost = self._lost[chunk.role] = _Lost(chunk.role)
                self._queue.append(lost)
                self._changed.notify_all()
            lost.count += 1
            lost.time_s = chunk.received_s
            return False

    def drain(self, timeout_s: float) -> bool:
        """Wait until all is written, at most so long; True if it is."""
        with self._changed:
            return self._changed.wait_for(
                lambda: self._broken or (not self._queue and not self._writing), timeout_s
            )

    def close(self, timeout_s: float = 1.0) -> None:
        """Stop the thread; the other end must be gone, so that no write can hang."""
        with self._changed:
            self._broken = True
            self._queue.clear()
            self._changed.notify_all()
        self._thread.join(timeout_s)

    def _append(self, payload: bytes) -> None:
        with self._changed:
            self._push(payload)

    def _push(self, payload: bytes) -> None:
        if self._broken:
            return
        self._queue.append(payload)
        self._bytes += len(payload)
        self._changed.notify_all()

    def _take(self) -> bytes | None:
        with self._changed:
            self._writing = False
            self._changed.notify_all()
            self._changed.wait_for(lambda: bool(self._queue) or self._broken)
            if self._broken:
                return None
            item = self._queue.popleft()
            self._writing = True
            if isinstance(item, _Lost):
                if self._lost.get(item.role) is item:
                    del self._lost[item.role]
                return messages.pack(StreamOverflow(item.role, item.count, item.time_s))
            self._bytes -= len(item)
            return item

    def _run(self) -> None:
        while (payload := self._take()) is not None:
            try:
                messages.write(self._pipe, payload)
            except (OSError, ValueError):  # ValueError: the pipe was closed at our end
                with self._changed:
                    self._broken = True
                    self._queue.clear()
                    self._changed.notify_all()
