"""The simulated scanner as a session has it beside itself: a process that plays a run when it is told to.

Started by ``AtCall``. It ends when stdin does, that is, when the session's process is gone.
"""

from __future__ import annotations

import os
import queue
import signal
import sys
import threading
import time
from dataclasses import dataclass
from typing import Any

from closedloop.errors import ClosedLoopError, ProcessDiedError, TriggerError
from hardware.lsl import messages as frames
from hardware.lsl.child import IngestChild
from hardware.lsl.inbox import Inbox
from hardware.lsl.outbox import Outbox
from hardware.scanner.options import ScannerOptions
from hardware.scanner.playing import play
from hardware.scanner.running import output_for
from hardware.scanner.timetable import timetable
from hardware.stage.pacing import REALTIME_SPIN_S, SPIN_S

_OPENING_S = 30.0
_CLOSING_S = 3.0
_QUEUE_BYTES = 1 << 22


@dataclass(frozen=True)
class Open:
    """To the process, first of all: open the path."""

    options: ScannerOptions


@dataclass(frozen=True)
class Play:
    """To the process: play a run, its nominal first pulse at a time of the clock; what plays is stopped."""

    options: ScannerOptions
    run: int
    begin_s: float


@dataclass(frozen=True)
class Stop:
    """To the process: stop what plays."""


@dataclass(frozen=True)
class Opened:
    """From the process: pulses could be heard, and where."""

    where: str


class AtCall:
    """The session's side.

    Args:
        options: of the path; those of the sequence come with each run.
    """

    def __init__(self, options: ScannerOptions) -> None:
        self._options = options
        self._child: IngestChild | None = None
        self._inbox: Inbox | None = None
        self._outbox: Outbox | None = None

    def open(self) -> str:
        """Start it (blocks until pulses could be heard); return in words where they come out.

        Raises:
            TriggerError: the path can't be had here.
            ProcessDiedError: the process ended instead, or does not answer.
        """
        self._child = IngestChild("hardware.scanner.at_call", "simulated scanner")
        self._inbox = Inbox(self._child.from_child, _QUEUE_BYTES)
        self._outbox = Outbox(self._child.to_child, _QUEUE_BYTES, "scanner-orders")
        self._outbox.put(Open(self._options))
        until_s = time.monotonic() + _OPENING_S
        while time.monotonic() < until_s and not self._inbox.ended:
            self._inbox.wait(0.1)
            answer = self._inbox.take_one()
            if isinstance(answer, Opened):
                return answer.where
            if isinstance(answer, frames.Failed):
                self.close()
                raise answer.error
        found = self._child.reason() if self._inbox.ended else "no answer"
        self.close()
        raise ProcessDiedError(
            "simulated scanner",
            found=found,
            expected="its pulses",
            remedy="Try it alone: closedloop simulate scanner",
        )

    def play(self, options: ScannerOptions, run: int, begin_s: float) -> None:
        """Play a run; see ``Play``. Returns at once."""
        self._put(Play(options, run, begin_s))

    def stop(self) -> None:
        """Stop what plays. Returns at once."""
        self._put(Stop())

    def close(self) -> None:
        """End the process (blocks briefly). Safe to call twice."""
        child, inbox, outbox = self._child, self._inbox, self._outbox
        self._child = self._inbox = self._outbox = None
        if child is None or inbox is None or outbox is None:
            return
        outbox.put(frames.Close())
        inbox.discard()
        child.end(_CLOSING_S)
        inbox.close()
        outbox.close()
        child.close_pipes()

    def _put(self, order: Any) -> None:
        if self._outbox is not None:
            self._outbox.put(order)


def main() -> None:
    """Run the process."""
    # Ctrl-C and a closed terminal are the session's affair; it closes us in its own time
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    if hasattr(signal, "SIGHUP"):
        signal.signal(signal.SIGHUP, signal.SIG_IGN)
    # whatever prints by accident must not get between the messages
    out = os.fdopen(os.dup(sys.stdout.fileno()), "wb")
    os.dup2(sys.stderr.fileno(), sys.stdout.fileno())
    answers = Outbox(out, _QUEUE_BYTES, "scanner-outbox")
    orders = _orders()
    spin_s = _hurry()
    first = orders.get()
    if isinstance(first, Open):
        output = output_for(first.options)
        try:
            answers.put(Opened(output.open()))
        except ClosedLoopError as error:
            answers.put(frames.Failed(error))
        except Exception as error:  # noqa: BLE001 - whatever it was, the session must hear it
            answers.put(frames.Failed(_unforeseen(error)))
        else:
            while not isinstance(order := orders.get(), frames.Close):
                if isinstance(order, Play):
                    deeds = timetable(order.options, order.run)
                    play(
                        deeds,
                        order.begin_s,
                        output,
                        lambda *_sent: None,
                        spin_s=spin_s,
                        stopped=lambda: not orders.empty(),
                    )
            output.close()
    answers.drain(timeout_s=1.0)
    sys.stderr.flush()
    # liblsl's own threads and destructors may hang or abort; the system closes its sockets as well
    os._exit(0)


def _hurry() -> float:
    """Ask for real-time priority; return how long before a deed sleeping must end."""
    if not sys.platform.startswith("linux"):
        return SPIN_S
    from hardware.stage.priority import raise_priority

    return REALTIME_SPIN_S if raise_priority().realtime else SPIN_S


def _orders() -> queue.SimpleQueue[Any]:
    orders: queue.SimpleQueue[Any] = queue.SimpleQueue()

    def read() -> None:
        while (payload := frames.read(sys.stdin.buffer)) is not None:
            orders.put(frames.unpack(payload))
        orders.put(frames.Close())  # the session is gone

    threading.Thread(target=read, name="scanner-orders", daemon=True).start()
    return orders


def _unforeseen(error: Exception) -> TriggerError:
    return TriggerError(
        "simulated scanner",
        found=f"{type(error).__name__}: {error}",
        expected="no error",
        remedy="This is a fault of the program or of a library; please report it.",
    )


if __name__ == "__main__":
    main()
