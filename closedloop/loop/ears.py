"""Hears the streams: samples go into memory, by which trials are judged, and into the file before any counts."""

from __future__ import annotations

import logging
from dataclasses import dataclass, field
from typing import TypeAlias

from closedloop.errors import ProcessDiedError
from closedloop.loop.doubts import Doubts
from closedloop.loop.recent import RecentSamples
from closedloop.ports import (
    Chunk,
    Clock,
    ClockProbe,
    ResponseSource,
    SourceDied,
    StreamOverflow,
    StreamStateChange,
)
from closedloop.session import SessionStore

log = logging.getLogger(__name__)

# Samples wait no longer than this for the file. A write of its own for each chunk would cost more disk
# time than all else together; a trial's samples are written with its judgement at the latest.
WRITE_WITHIN_S = 0.05

_Heard: TypeAlias = Chunk | ClockProbe | StreamStateChange | StreamOverflow


@dataclass
class Stream:
    """What is known of one stream just now."""

    recent: RecentSamples = field(default_factory=RecentSamples)
    doubts: Doubts = field(default_factory=Doubts)
    next_sequence: int = 0


class Ears:
    """Takes all that the source has heard, remembers the last seconds, and records it.

    Args:
        source: an opened source.
        store: the session file.
        clock: the one clock.
        roles: roles of the streams that the source has opened.
    """

    def __init__(
        self, source: ResponseSource, store: SessionStore, clock: Clock, roles: tuple[str, ...]
    ) -> None:
        self._source = source
        self._store = store
        self._clock = clock
        self.streams = {role: Stream() for role in roles}
        self._unwritten: list[_Heard] = []
        self._write_by_s = 0.0

    @property
    def live(self) -> bool:
        """All streams can be trusted now."""
        return all(stream.doubts.live for stream in self.streams.values())

    @property
    def live_since_s(self) -> float:
        """Since when all streams can be trusted; infinity if one can't be."""
        if not self.live:
            return float("inf")
        return max((stream.doubts.since_s for stream in self.streams.values()), default=float("-inf"))

    @property
    def trouble(self) -> str:
        """Why the session can't go on just now, in words; empty while all streams are live."""
        return "; ".join(
            f"the {role} stream is {stream.doubts.state.value if stream.doubts.state else 'not heard yet'}"
            f" ({stream.doubts.reason})"
            for role, stream in self.streams.items()
            if not stream.doubts.live
        )

    def listen(self) -> None:
        """Take what came in since the last call; write it, if something has waited long enough.

        Raises:
            ProcessDiedError: the process that hears the streams is gone.
            DiskError: the samples can't be written.
        """
        for event in self._source.poll():
            if isinstance(event, SourceDied):
                self.write()
                raise ProcessDiedError(
                    "ingest process",
                    found=event.reason,
                    expected="it to run as long as the session",
                    remedy="The session is closed and everything up to here is in its file.",
                )
            if not self._unwritten:
                self._write_by_s = self._clock.now() + WRITE_WITHIN_S
            self._unwritten.append(event)
            self._remember(event)
        if self._unwritten and self._clock.now() >= self._write_by_s:
            self.write()

    def write(self) -> None:
        """Write everything heard so far; whoever lets samples count calls this first."""
        if not self._unwritten:
            return
        with self._store.transaction():
            for event in self._unwritten:
                self._record(event)
        self._unwritten.clear()

    def forget(self, before_s: float) -> None:
        """Drop samples and doubts that no trial needs any more."""
        for stream in self.streams.values():
            stream.recent.forget(before_s)
            stream.doubts.forget(before_s)

    def _remember(self, event: _Heard) -> None:
        if isinstance(event, ClockProbe):
            return
        stream = self.streams[event.role]
        if isinstance(event, Chunk):
            if event.sequence != stream.next_sequence:
                missing = event.sequence - stream.next_sequence
                stream.doubts.lost_samples(event.received_s, f"{missing} chunks of samples are missing")
            stream.next_sequence = event.sequence + 1
            stream.recent.add(event)
        elif isinstance(event, StreamStateChange):
            if event.state is not stream.doubts.state:
                log.info("the %s stream is %s: %s", event.role, event.state.value, event.reason)
            stream.doubts.take(event)
        else:
            log.warning("the %s stream: %s", event.role, _overflow(event))
            stream.doubts.lost_samples(event.time_s, _overflow(event))

    def _record(self, event: _Heard) -> None:
        if isinstance(event, Chunk):
            self._store.add_chunk(event, self._clock.now())
        elif isinstance(event, ClockProbe):
            self._store.add_probe(event)
        elif isinstance(event, StreamStateChange):
            self._store.add_stream_state(event)
        else:
            self._store.add_event("samples_lost", event.time_s, role=event.role, reason=_overflow(event))


def _overflow(event: StreamOverflow) -> str:
    return f"{event.lost_chunks} chunks were lost because they came faster than they could be recorded"
