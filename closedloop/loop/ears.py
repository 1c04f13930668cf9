"""Hears the streams: each sample goes into the file first, then into the memory that trials are judged by."""

from __future__ import annotations

from dataclasses import dataclass, field

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


@dataclass
class Stream:
    """What is known of one stream just now."""

    recent: RecentSamples = field(default_factory=RecentSamples)
    doubts: Doubts = field(default_factory=Doubts)
    next_sequence: int = 0


class Ears:
    """Takes all that the source has heard, records it, and remembers the last seconds.

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

    @property
    def live(self) -> bool:
        """All streams can be trusted now."""
        return all(stream.doubts.live for stream in self.streams.values())

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
        """Record what came in since the last call.

        Raises:
            ProcessDiedError: the process that hears the streams is gone.
            DiskError: the samples can't be written.
        """
        events = self._source.poll()
        if not events:
            return
        died: SourceDied | None = None
        with self._store.transaction():
            for event in events:
                if isinstance(event, SourceDied):
                    died = event
                else:
                    self._record(event)
        if died is not None:
            raise ProcessDiedError(
                "ingest process",
                found=died.reason,
                expected="it to run as long as the session",
                remedy="The session is closed and everything up to here is in its file.",
            )

    def forget(self, before_s: float) -> None:
        """Drop samples and doubts that no trial needs any more."""
        for stream in self.streams.values():
            stream.recent.forget(before_s)
            stream.doubts.forget(before_s)

    def _record(self, event: Chunk | ClockProbe | StreamStateChange | StreamOverflow) -> None:
        if isinstance(event, ClockProbe):
            self._store.add_probe(event)
            return
        stream = self.streams[event.role]
        if isinstance(event, Chunk):
            self._store.add_chunk(event, self._clock.now())
            if event.sequence != stream.next_sequence:
                missing = event.sequence - stream.next_sequence
                self._doubt(event.role, stream, event.received_s, f"{missing} chunks of samples are missing")
            stream.next_sequence = event.sequence + 1
            stream.recent.add(event)
        elif isinstance(event, StreamStateChange):
            self._store.add_stream_state(event)
            stream.doubts.take(event)
        else:
            reason = (
                f"{event.lost_chunks} chunks were lost because they came faster than they could be recorded"
            )
            self._doubt(event.role, stream, event.time_s, reason)

    def _doubt(self, role: str, stream: Stream, time_s: float, reason: str) -> None:
        stream.doubts.lost_samples(time_s, reason)
        self._store.add_event("samples_lost", time_s, role=role, reason=reason)
