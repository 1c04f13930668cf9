"""What a recording is to whoever plays it: streams on one common time that begins at 0."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Protocol, TypeAlias
from xml.etree.ElementTree import Element

import numpy.typing as npt

from closedloop.ports import Float64


@dataclass(frozen=True)
class RecordedStream:
    """A stream as it presented itself when it was recorded.

    Attributes:
        role: in a session ``"response"``, ``"fixation"``, ``"markers"`` or ``"trigger"``; empty in other recordings.
        nominal_hz: nominal rate; 0 for an irregular stream.
        dtype: numpy name of the values, or ``"string"``.
        first_s: time of its first sample in the recording.
        last_s: time of its last sample.
        desc: its own description, the ``<desc>`` of LSL; None where it had none.
        facts: what else was known of it (host, uid, ...), as text.
    """

    role: str
    name: str
    type: str
    source_id: str
    nominal_hz: float
    channels: int
    dtype: str
    first_s: float
    last_s: float
    desc: Element | None = None
    facts: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class LeftOut:
    """A stream, or a part of one, that is in the recording and can't be played."""

    name: str
    reason: str


@dataclass(frozen=True)
class Block:
    """Samples of one stream that follow on each other, in the order in which they were recorded.

    Attributes:
        times_s: (n,) on the recording's time. As recorded: not smoothed, and not sorted either, so a
            sender that stamped backwards does so again.
        values: (n, channels) in the stream's type; of Python strings for a stream of strings.
    """

    times_s: Float64
    values: npt.NDArray[Any]


@dataclass(frozen=True)
class Damage:
    """Samples that can't be read; a hole is left where they were."""

    where: str
    what: str


Piece: TypeAlias = Block | Damage


class Recording(Protocol):
    """A recording that is open.

    Attributes:
        path: of its file or folder.
        streams: those that can be played.
        left_out: those that can't, and why.
        notes: what was done to bring the streams onto one time, and what else one should know.
        duration_s: time of the last sample of all; the first sample of all is at 0.
    """

    path: Path
    streams: Sequence[RecordedStream]
    left_out: Sequence[LeftOut]
    notes: Sequence[str]
    duration_s: float

    def blocks(self, stream: int, since_s: float = 0.0) -> Iterator[Piece]:
        """Yield a stream's samples in recorded order, a short block at a time.

        Each iterator may run in a thread of its own, but must stay in it.

        Args:
            stream: index into ``streams``.
            since_s: samples that were due before this time are left out. A sample is due at the latest
                time of all up to and including its own.

        Raises:
            RecordingError: the recording can't be read any further.
            SessionError: as RecordingError, of a session file.
        """
        ...
