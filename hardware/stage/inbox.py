"""Reads the engine's orders without waiting for any."""

from __future__ import annotations

import os
from collections.abc import Iterator
from multiprocessing.connection import Connection

from hardware.stage.messages import Close, Order

_MOST_PER_FRAME = 64  # a flood of orders must not cost a frame


class Inbox:
    """The engine's orders; an engine that died is an order to close.

    Args:
        connection: reading end of the pipe from the engine.
        engine_pid: of the engine.
    """

    def __init__(self, connection: Connection, engine_pid: int) -> None:
        self._connection = connection
        self._engine_pid = engine_pid

    def take(self) -> Iterator[Order]:
        """Yield the orders that are here by now, at most some tens."""
        if engine_is_gone(self._engine_pid):
            yield Close()  # another process may still hold a copy of the pipe's other end
            return
        try:
            for _ in range(_MOST_PER_FRAME):
                if not self._connection.poll():
                    return
                yield self._connection.recv()
        except (EOFError, OSError):
            yield Close()


def engine_is_gone(engine_pid: int) -> bool:
    """Whether our parent is no longer the engine (always False on Windows, where the pipe alone tells)."""
    return os.name == "posix" and os.getppid() != engine_pid
