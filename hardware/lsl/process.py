"""The ingest process: everything of liblsl, so that an abort of it takes nothing else along.

Started by ``proxy.LslLink``; imports neither torch nor psychopy. Messages come in on stdin and go out on
stdout. It ends when stdin does, that is, when the engine's process is gone.
"""

from __future__ import annotations

import os
import signal
import sys
import threading
import time
from typing import BinaryIO

import pylsl

from closedloop.errors import ClosedLoopError
from closedloop.ports import Marker, StreamInfo
from hardware.lsl import messages
from hardware.lsl.contract import FIXATION, check_fixation, check_response
from hardware.lsl.keeper import Connection, connect
from hardware.lsl.markers import MarkerOutlet
from hardware.lsl.outbox import Outbox
from hardware.lsl.reader import Reader

_STEP_S = 0.01  # between pulls: adds half of it to the latency, and costs 100 wake-ups a second
_HEARTBEAT_S = 0.05
_LINGER_S = 0.3  # liblsl gives no sign when a marker is out; on a local network this is ample


class Ingest:
    """The child's whole state: outlet, readers, outbox.

    Args:
        start: what the engine asks for.
        out: the pipe to the engine.
    """

    def __init__(self, start: messages.Start, out: BinaryIO) -> None:
        self.outbox = Outbox(out, start.queue_bytes, "lsl-outbox")
        self.closing = threading.Event()
        self._start = start
        # first of all, so that recorders have time to find it while we look for the response stream
        self._markers = MarkerOutlet(start.session_id)
        self._last_marker_s = -_LINGER_S

    def run(self) -> None:
        """Open the streams and hear them until told to close."""
        connections = self._connect()
        self.outbox.put(messages.Opened(tuple(connection.info for connection in connections)))
        spec = self._start.response
        ages = {"response": spec.liveness_in_use}
        readers = [
            Reader(
                connection,
                ages.get(connection.info.role, spec.liveness),
                self.outbox.put,
                self.outbox.put_chunk,
            )
            for connection in connections
        ]
        beat_s = 0.0
        while not self.closing.is_set() and not self.outbox.broken:
            for reader in readers:
                reader.step()
            now_s = time.monotonic()
            if now_s - beat_s >= _HEARTBEAT_S and self.outbox.empty:
                self.outbox.put(messages.Heartbeat(pylsl.local_clock()))
                beat_s = now_s
            self.closing.wait(_STEP_S)

    def finish(self) -> None:
        """Let the last markers and messages get out."""
        self.outbox.drain(timeout_s=1.0)
        if self._markers.has_listeners():
            time.sleep(max(0.0, _LINGER_S - (time.monotonic() - self._last_marker_s)))

    def listen(self, pipe: BinaryIO) -> None:
        """Do what the engine says; runs in a thread of its own."""
        while (payload := messages.read(pipe)) is not None:
            message = messages.unpack(payload)
            if isinstance(message, Marker):
                self._markers.send(message)
                self._last_marker_s = time.monotonic()
            elif isinstance(message, messages.Close):
                self.closing.set()
                return
        # the engine died: nobody is left to write for, and nothing here is worth a delay
        os._exit(0)

    def _connect(self) -> list[Connection]:
        response = self._start.response

        def fits(info: StreamInfo) -> None:
            check_response(info, response, self._start.units)

        until_s = time.monotonic() + self._start.wait_for_stream_s
        found = [connect("response", response.kind, response.stream, self._start.wait_for_stream_s, fits)]
        if response.fixation_stream is not None:
            left_s = max(0.0, until_s - time.monotonic())
            found.append(connect(FIXATION, FIXATION, response.fixation_stream, left_s, check_fixation))
        return found


def main() -> None:
    """Run the ingest process."""
    # Ctrl-C and a closed terminal are the engine's affair; it closes us in its own time
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    if hasattr(signal, "SIGHUP"):
        signal.signal(signal.SIGHUP, signal.SIG_IGN)
    # whatever prints by accident must not get between the messages
    out = os.fdopen(os.dup(sys.stdout.fileno()), "wb")
    os.dup2(sys.stderr.fileno(), sys.stdout.fileno())
    pipe = sys.stdin.buffer
    payload = messages.read(pipe)
    if payload is None:
        return
    ingest = Ingest(messages.unpack(payload), out)
    threading.Thread(target=ingest.listen, args=(pipe,), name="lsl-orders", daemon=True).start()
    status = 0
    try:
        ingest.run()
    except ClosedLoopError as error:
        ingest.outbox.put(messages.Failed(error))
    except Exception as error:  # noqa: BLE001 - the last line of this process: whatever it was, the engine must hear it
        ingest.outbox.put(messages.Failed(RuntimeError(f"{type(error).__name__}: {error}")))
        status = 1
        sys.excepthook(*sys.exc_info())
    ingest.finish()
    sys.stderr.flush()
    # liblsl's own threads and destructors may hang or abort; the system closes its sockets as well
    os._exit(status)


if __name__ == "__main__":
    main()
