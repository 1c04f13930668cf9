"""The trigger's process: nothing else runs in it that could delay a stamp.

Started by ``proxy.TriggerReader``; imports neither torch nor psychopy. It ends when stdin does, that is, when
the engine's process is gone.
"""

from __future__ import annotations

import os
import signal
import sys
from typing import BinaryIO

from closedloop.errors import ClosedLoopError
from hardware.lsl import messages as frames
from hardware.lsl.outbox import Outbox
from hardware.triggers.ears import ears_for
from hardware.triggers.hearing import Hearing
from hardware.triggers.messages import Opened, Start

_QUEUE_BYTES = 1 << 24


def run(pipe: BinaryIO, out: BinaryIO) -> int:
    """Hear what the first message asks for until told to end; return the exit status."""
    payload = frames.read(pipe)
    if payload is None:
        return 0
    outbox = Outbox(out, _QUEUE_BYTES, "trigger-outbox")

    def fail(error: Exception) -> None:
        known = isinstance(error, ClosedLoopError)
        outbox.put(frames.Failed(error if known else RuntimeError(f"{type(error).__name__}: {error}")))
        outbox.drain(timeout_s=1.0)
        os._exit(0 if known else 1)

    start: Start = frames.unpack(payload)

    # heartbeats come behind the pulses in the same queue: whatever holds these up on their way holds them up, too
    hearing = Hearing(ears_for(start), outbox.put, outbox.put, fail, start.response_keys)
    try:
        outbox.put(Opened(hearing.open()))
    except Exception as error:  # noqa: BLE001 - whatever it was, the engine must hear it
        fail(error)
    while (payload := frames.read(pipe)) is not None:
        if isinstance(frames.unpack(payload), frames.Close):
            hearing.close()
            outbox.drain(timeout_s=1.0)
            break
    return 0


def main() -> None:
    """Run the trigger's process."""
    # Ctrl-C and a closed terminal are the engine's affair; it closes us in its own time
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    if hasattr(signal, "SIGHUP"):
        signal.signal(signal.SIGHUP, signal.SIG_IGN)
    # whatever prints by accident must not get between the messages
    out = os.fdopen(os.dup(sys.stdout.fileno()), "wb")
    os.dup2(sys.stderr.fileno(), sys.stdout.fileno())
    status = run(sys.stdin.buffer, out)
    sys.stderr.flush()
    # liblsl's own threads and destructors may hang or abort; the system closes its sockets as well
    os._exit(status)


if __name__ == "__main__":
    main()
