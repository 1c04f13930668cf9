"""What passes between the engine and the ingest process, over the child's stdin and stdout.

Each message is a length and a pickle. Pickles are safe here and only here: both ends are our own, joined
by private pipes, and nothing that was heard from the network is ever unpickled, only copied as numbers
and text into these records.
"""

from __future__ import annotations

import math
import pickle
import struct
from dataclasses import dataclass
from typing import Any, BinaryIO

from closedloop.ports import StreamInfo
from closedloop.protocol.models import Response

_LENGTH = struct.Struct("<Q")


@dataclass(frozen=True)
class Start:
    """To the child, first of all: what to hear, and under which session to send markers."""

    response: Response
    session_id: str
    units: tuple[int, ...]
    wait_for_stream_s: float
    queue_bytes: int


@dataclass(frozen=True)
class Close:
    """To the child: end in good order."""


@dataclass(frozen=True)
class Opened:
    """From the child: all streams are there and are what the protocol says."""

    streams: tuple[StreamInfo, ...]


@dataclass(frozen=True)
class Failed:
    """From the child: it can't go on, and why; it ends by itself after this."""

    error: Exception


@dataclass(frozen=True)
class Heartbeat:
    """From the child, where it has nothing else to say: its loop runs.

    Attributes:
        time_s: when.
        heard_until_s: from the trigger's process: everything that had come in by then has been said before.
    """

    time_s: float
    heard_until_s: float = -math.inf


def pack(message: Any) -> bytes:
    """Return a message as bytes; arrays are copied, so their memory may be used again."""
    return pickle.dumps(message, protocol=5)


def unpack(payload: bytes) -> Any:
    """Return the message again."""
    return pickle.loads(payload)  # noqa: S301 - only ever from our own process at the other end of the pipe


def write(pipe: BinaryIO, payload: bytes) -> None:
    """Write one packed message (blocks while the pipe is full).

    Raises:
        OSError: the other end is gone.
    """
    pipe.write(_LENGTH.pack(len(payload)))
    pipe.write(payload)
    pipe.flush()


def read(pipe: BinaryIO) -> bytes | None:
    """Read one packed message (blocks until there is one); None when the other end is gone."""
    head = pipe.read(_LENGTH.size)
    if len(head) < _LENGTH.size:
        return None
    (length,) = _LENGTH.unpack(head)
    payload = pipe.read(length)
    return payload if len(payload) == length else None
