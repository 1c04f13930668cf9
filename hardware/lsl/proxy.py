"""The engine's side of the ingest process: response source and marker sink in one."""

from __future__ import annotations

import time
from collections.abc import Iterable, Sequence

from closedloop.errors import ProcessDiedError
from closedloop.ports import (
    Clock,
    Marker,
    SourceDied,
    SourceEvent,
    StreamInfo,
    StreamState,
    StreamStateChange,
)
from closedloop.protocol.models import Response
from hardware.clock import LslClock
from hardware.lsl import messages
from hardware.lsl.child import IngestChild
from hardware.lsl.inbox import Inbox
from hardware.lsl.outbox import Outbox

_OPENING_S = 30.0  # on top of the wait for the streams: start of the process, opening of two inlets
_CLOSING_S = 3.0
_MARKER_BYTES = 1 << 24
DEFAULT_QUEUE_BYTES = 64 << 20  # 16 s of 1,024 channels at 1 kHz


class LslLink:
    """Implements ``ResponseSource`` and ``MarkerSink`` over LSL, in a process of its own.

    Args:
        response: the protocol's section.
        session_id: goes into each marker, and into the marker stream's source id.
        units: every unit number that the threads count; checked against the stream.
        wait_for_stream_s: how long ``open`` looks for the streams.
        queue_bytes: how much may wait in the ingest process; what comes then is lost, and said to be
            (``StreamOverflow``). An eighth of it may wait in this process.
        clock: stamps what this side notices by itself.
    """

    def __init__(
        self,
        response: Response,
        session_id: str,
        *,
        units: Iterable[int] = (),
        wait_for_stream_s: float = 20.0,
        queue_bytes: int = DEFAULT_QUEUE_BYTES,
        clock: Clock | None = None,
    ) -> None:
        self._start = messages.Start(response, session_id, tuple(units), wait_for_stream_s, queue_bytes)
        self._clock: Clock = LslClock() if clock is None else clock
        self._silent_s = response.liveness.late_after_ms / 1000
        self._lost_s = response.liveness.lost_after_ms / 1000
        self._child: IngestChild | None = None
        self._inbox: Inbox | None = None
        self._outbox: Outbox | None = None
        self._states: dict[str, StreamStateChange] = {}
        self._silence = StreamState.LIVE  # as this side sees the process itself
        self._polled_s = time.monotonic()
        self._died = False
        self.markers_lost = 0

    @property
    def pid(self) -> int | None:
        """Process id of the ingest process; None while it is not open."""
        return None if self._child is None else self._child.pid

    def open(self) -> Sequence[StreamInfo]:
        """Start the process, find, check and open the streams (blocks).

        Raises:
            StreamError: none, more than one, or one that is not what the protocol says.
            ProcessDiedError: the process ended instead, or does not answer.
        """
        if self._child is not None:
            raise RuntimeError("this link is open; make another one")
        self._child = IngestChild()
        self._inbox = Inbox(self._child.from_child, max(1 << 16, self._start.queue_bytes // 8))
        self._outbox = Outbox(self._child.to_child, _MARKER_BYTES, "lsl-orders")
        self._outbox.put(self._start)
        try:
            return self._await_opened(self._child, self._inbox).streams
        except BaseException:
            self.close()
            raise

    def poll(self) -> Sequence[SourceEvent]:
        """Return what came in since the last call, in order; never waits."""
        if self._inbox is None or self._died:
            return ()
        events: list[SourceEvent] = []
        for message in self._inbox.take():
            if isinstance(message, messages.Failed):
                events.append(self._death(f"the ingest process failed: {message.error}"))
                return events
            if isinstance(message, StreamStateChange):
                self._states[message.role] = message
            events.append(message)
        if self._inbox.ended and self._child is not None:
            events.append(self._death(self._child.reason()))
        else:
            events.extend(self._watch(self._inbox))
        return events

    def send(self, marker: Marker) -> None:
        """Send one marker; never waits. Once the process is gone they are only counted."""
        if self._outbox is None or self._outbox.broken or self._died:
            self.markers_lost += 1
            return
        self._outbox.put(marker)

    def close(self) -> None:
        """Let the last markers out, end the process (blocks briefly). Safe to call twice."""
        child, inbox, outbox = self._child, self._inbox, self._outbox
        self._child = self._inbox = self._outbox = None
        if child is None or inbox is None or outbox is None:
            return
        if not self._died:
            outbox.put(messages.Close())
            inbox.discard()  # else a full pipe would keep the child from ending
        child.end(0.0 if self._died else _CLOSING_S)
        inbox.close()
        outbox.close()
        child.close_pipes()

    def _await_opened(self, child: IngestChild, inbox: Inbox) -> messages.Opened:
        until_s = time.monotonic() + 2 * self._start.wait_for_stream_s + _OPENING_S
        while time.monotonic() < until_s:
            inbox.wait(0.1)
            message = inbox.take_one()
            if isinstance(message, messages.Opened):
                return message
            if isinstance(message, messages.Failed):
                raise message.error
            if message is None and inbox.ended:
                raise _died(child.reason())
        raise _died("it does not answer")

    def _death(self, reason: str) -> SourceDied:
        self._died = True
        return SourceDied(reason, self._clock.now())

    def _watch(self, inbox: Inbox) -> list[SourceEvent]:
        """Doubt every stream while the ingest process itself is silent (it beats every 50 ms)."""
        now_s = time.monotonic()
        silent_s = now_s - inbox.heard_monotonic_s
        # if we were away ourselves, the reading thread may have been too: believe the next poll
        away = now_s - self._polled_s > self._silent_s / 2
        self._polled_s = now_s
        if away or inbox.full:
            return []
        state = StreamState.LIVE
        if silent_s > self._silent_s:
            state = StreamState.LOST if silent_s > self._lost_s else StreamState.LATE
        if state is self._silence:
            return []
        self._silence = state
        if state is StreamState.LIVE:
            return list(self._states.values())  # what it said last holds again
        reason = f"the ingest process has said nothing for {silent_s:.3f} s"
        return [StreamStateChange(role, state, self._clock.now(), silent_s, reason) for role in self._states]


def _died(found: str) -> ProcessDiedError:
    return ProcessDiedError(
        "ingest process",
        found=found,
        expected="the streams opened",
        remedy="Try `closedloop streams`; if that fails too, LSL itself does not work on this machine.",
    )
