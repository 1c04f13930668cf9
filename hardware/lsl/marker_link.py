"""The engine's side of the process that sends markers."""

from __future__ import annotations

import time

from closedloop.errors import ProcessDiedError
from closedloop.ports import Marker
from hardware.lsl import messages
from hardware.lsl.child import IngestChild
from hardware.lsl.inbox import Inbox
from hardware.lsl.outbox import Outbox

_OPENING_S = 30.0
_CLOSING_S = 3.0
_QUEUE_BYTES = 1 << 24


class MarkerLink:
    """Implements ``MarkerSink`` over LSL, in a process of its own, for sessions without a response stream.

    Args:
        session_id: goes into each marker, and into the stream's source id.

    Attributes:
        markers_lost: markers that could not be sent since the process is gone; they are in the session file.
    """

    def __init__(self, session_id: str) -> None:
        self._session_id = session_id
        self._child: IngestChild | None = None
        self._inbox: Inbox | None = None
        self._outbox: Outbox | None = None
        self.markers_lost = 0

    def open(self) -> None:
        """Start the process (blocks until the stream can be found).

        Raises:
            ProcessDiedError: it ended instead, or does not answer.
        """
        self._child = IngestChild("hardware.lsl.marker_process", "marker process")
        self._inbox = Inbox(self._child.from_child, _QUEUE_BYTES)
        self._outbox = Outbox(self._child.to_child, _QUEUE_BYTES, "marker-orders")
        self._outbox.put(self._session_id)
        until_s = time.monotonic() + _OPENING_S
        while time.monotonic() < until_s and not self._inbox.ended:
            self._inbox.wait(0.1)
            if isinstance(self._inbox.take_one(), messages.Opened):
                return
        found = self._child.reason() if self._inbox.ended else "no answer"
        self.close()
        raise ProcessDiedError(
            "marker process",
            found=found,
            expected="its LSL stream",
            remedy="Try `closedloop streams`; if that fails too, LSL itself does not work on this machine.",
        )

    def send(self, marker: Marker) -> None:
        """Send one marker; never waits. Once the process is gone they are only counted."""
        if self._outbox is None or self._outbox.broken:
            self.markers_lost += 1
            return
        self._outbox.put(marker)

    def close(self) -> None:
        """Let the last markers out, end the process (blocks briefly). Safe to call twice."""
        child, inbox, outbox = self._child, self._inbox, self._outbox
        self._child = self._inbox = self._outbox = None
        if child is None or inbox is None or outbox is None:
            return
        outbox.put(messages.Close())
        inbox.discard()
        child.end(_CLOSING_S)
        inbox.close()
        outbox.close()
        child.close_pipes()
