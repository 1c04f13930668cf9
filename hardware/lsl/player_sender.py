"""Sends what is due: from the blocks read ahead, through the outlets, by the tape's place on the clock."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from hardware.lsl.player_ahead import Ahead, Load
from hardware.lsl.player_outlets import PlayedStream
from hardware.lsl.player_tape import Transport

_UNREAD_S = 0.005  # until a stream is asked again whose next block is not read yet


class _Head:
    """The block that a stream is being played from, and how far."""

    def __init__(self) -> None:
        self.load: Load | None = None
        self.next = 0

    @property
    def due_s(self) -> float:
        return np.inf if self.load is None else float(self.load.due_s[self.next])


class Sender:
    """All streams of a recording, from one place on the tape onwards.

    Args:
        outlets: one a stream.
        ahead: what is read; closed together with this.
        transport: where the tape stands.
    """

    def __init__(self, outlets: Sequence[PlayedStream], ahead: Ahead, transport: Transport) -> None:
        self._outlets, self._ahead, self._transport = outlets, ahead, transport
        self._heads = [_Head() for _ in outlets]

    def send_due(self, now_s: float) -> float:
        """Send every sample that is due by now.

        Returns:
            How late the latest of them is, in seconds of the clock; 0 if none was due.

        Raises:
            ClosedLoopError: the recording can't be read any further; what came before has been sent.
        """
        tape_s = self._transport.tape_at(now_s)
        late_s = max(self._send_stream(stream, tape_s) for stream in range(len(self._outlets)))
        self._ahead.reached(tape_s)
        return late_s

    def next_due_s(self, now_s: float) -> float:
        """Return when to ask again: when the next sample is due, as far as is known."""
        due_s = min(head.due_s for head in self._heads)
        next_s = self._transport.offset_s + due_s / self._transport.speed
        unread = any(
            head.load is None and not self._ahead.ended(stream) for stream, head in enumerate(self._heads)
        )
        return min(next_s, now_s + _UNREAD_S) if unread else next_s

    def ended(self) -> bool:
        """Whether everything has been sent."""
        return all(head.load is None and self._ahead.ended(stream) for stream, head in enumerate(self._heads))

    def close(self) -> None:
        """End reading (blocks briefly)."""
        self._ahead.close()

    def _send_stream(self, stream: int, tape_s: float) -> float:
        head, outlet = self._heads[stream], self._outlets[stream]
        offset_s, speed = self._transport.offset_s, self._transport.speed
        late_s = 0.0
        while True:
            if head.load is None:
                head.load, head.next = self._ahead.take(stream), 0
            load, first = head.load, head.next
            if load is None or load.due_s[first] > tape_s:
                return late_s
            stop = int(np.searchsorted(load.due_s, tape_s, side="right"))
            outlet.send(load.values[first:stop], offset_s + load.times_s[first:stop] / speed)
            late_s = max(late_s, (tape_s - float(load.due_s[first])) / speed)
            head.load, head.next = (load, stop) if stop < len(load.due_s) else (None, 0)
