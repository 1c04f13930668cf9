"""A process that does nothing but send markers, for sessions without a response stream.

Started by ``marker_link.MarkerLink``. As with the ingest process, an abort of liblsl takes nothing else along.
It ends when stdin does.
"""

from __future__ import annotations

import os
import signal
import sys
import time

from closedloop.ports import Marker
from hardware.lsl import messages
from hardware.lsl.markers import MarkerOutlet
from hardware.lsl.outbox import Outbox

_LINGER_S = 0.3  # liblsl gives no sign when a marker is out; on a local network this is ample
_QUEUE_BYTES = 1 << 16


def main() -> None:
    """Run it: the first message is the session's id."""
    # Ctrl-C and a closed terminal are the engine's affair; it closes us in its own time
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    if hasattr(signal, "SIGHUP"):
        signal.signal(signal.SIGHUP, signal.SIG_IGN)
    # whatever prints by accident must not get between the messages
    out = os.fdopen(os.dup(sys.stdout.fileno()), "wb")
    os.dup2(sys.stderr.fileno(), sys.stdout.fileno())
    pipe = sys.stdin.buffer
    payload = messages.read(pipe)
    if payload is not None:
        outlet = MarkerOutlet(str(messages.unpack(payload)))
        outbox = Outbox(out, _QUEUE_BYTES, "marker-outbox")
        outbox.put(messages.Opened(()))
        while (payload := messages.read(pipe)) is not None:
            message = messages.unpack(payload)
            if not isinstance(message, Marker):
                if outlet.has_listeners():
                    time.sleep(_LINGER_S)
                break
            outlet.send(message)
    sys.stderr.flush()
    # liblsl's own threads and destructors may hang or abort; the system closes its sockets as well
    os._exit(0)


if __name__ == "__main__":
    main()
