"""The engine's side of the trigger's process."""

from __future__ import annotations

import math
import time
from collections.abc import Sequence

from closedloop.errors import ProcessDiedError
from closedloop.ports import Clock
from closedloop.protocol.sections.scan import Trigger
from closedloop.scan.ports import Pulse, TriggerDied, TriggerEvent, TriggerInfo, TriggerNotice
from hardware.clock import LslClock
from hardware.lsl import messages as frames
from hardware.lsl.child import IngestChild
from hardware.lsl.inbox import Inbox
from hardware.lsl.outbox import Outbox
from hardware.triggers.messages import Opened, Start
from hardware.triggers.quiet import HUNG_S, QUIET_S, BehindWatch, QuietWatch

_OPENING_S = 30.0  # on top of the wait for a stream: start of the process, opening of an inlet
_CLOSING_S = 3.0
_QUEUE_BYTES = 1 << 24


class TriggerReader:
    """Implements ``closedloop.scan.ports.TriggerSource`` for every path, in a process of its own.

    Args:
        trigger: the protocol's section.
        response_keys: names of the subject's keys.
        wait_s: how long ``open`` looks for an LSL stream.
        clock: stamps what this side notices by itself.
        quiet_s, hung_s: a process that runs and does not listen for so long is told of, and given up.
    """

    def __init__(
        self,
        trigger: Trigger,
        response_keys: Sequence[str] = (),
        *,
        wait_s: float = 20.0,
        clock: Clock | None = None,
        quiet_s: float = QUIET_S,
        hung_s: float = HUNG_S,
    ) -> None:
        self._start = Start(trigger, tuple(response_keys), wait_s)
        self._clock: Clock = LslClock() if clock is None else clock
        self._child: IngestChild | None = None
        self._inbox: Inbox | None = None
        self._outbox: Outbox | None = None
        self._died = False
        self._limits_s = (quiet_s, hung_s)
        self._watch, self._behind = QuietWatch(*self._limits_s), BehindWatch()
        self._heard_until_s = self._sign_s = -math.inf

    @property
    def pid(self) -> int | None:
        """Process id of the trigger's process; None while it is not open."""
        return None if self._child is None else self._child.pid

    def open(self) -> TriggerInfo:
        """Start the process and the device (blocks).

        Raises:
            TriggerError: no such device, no right to it, or not what the protocol says.
            ProcessDiedError: the process ended instead, or does not answer.
        """
        if self._child is not None:
            raise RuntimeError("this trigger is open; make another one")
        self._died = False
        self._child = IngestChild("hardware.triggers.process", "trigger process")
        self._inbox = Inbox(self._child.from_child, _QUEUE_BYTES)
        self._outbox = Outbox(self._child.to_child, _QUEUE_BYTES, "trigger-orders")
        self._outbox.put(self._start)
        try:
            info = self._await_opened(self._child, self._inbox)
        except BaseException:
            self.close()
            raise
        self._watch, self._behind = QuietWatch(*self._limits_s), BehindWatch()
        self._heard_until_s = self._sign_s = self._clock.now()
        return info

    @property
    def heard_until_s(self) -> float:
        """Up to when all that came in has been returned by ``poll``."""
        return self._heard_until_s

    def poll(self) -> Sequence[TriggerEvent]:
        """Return what came in since the last call, in order of arrival; never waits."""
        if self._inbox is None or self._child is None or self._died:
            return ()
        if (heartbeat := self._inbox.heartbeat) is not None:  # first: what it speaks for is taken then
            self._heard_until_s = max(self._heard_until_s, heartbeat.heard_until_s)
            self._sign_s = max(self._sign_s, heartbeat.time_s)
        events: list[TriggerEvent] = []
        for message in self._inbox.take():
            if isinstance(message, frames.Failed):
                events.append(self._death(str(message.error)))
                return events
            if isinstance(message, Pulse):
                self._sign_s = max(self._sign_s, message.received_s)
            events.append(message)
        if self._inbox.ended:
            events.append(self._death(self._child.reason()))
        else:
            events += self._news()
        return events

    def close(self) -> None:
        """End the process (blocks briefly). Safe to call twice."""
        child, inbox, outbox = self._child, self._inbox, self._outbox
        self._child = self._inbox = self._outbox = None
        if child is None or inbox is None or outbox is None:
            return
        if not self._died:
            outbox.put(frames.Close())
            inbox.discard()
        child.end(0.0 if self._died else _CLOSING_S)
        inbox.close()
        outbox.close()
        child.close_pipes()

    def _await_opened(self, child: IngestChild, inbox: Inbox) -> TriggerInfo:
        until_s = time.monotonic() + self._start.wait_s + _OPENING_S
        while time.monotonic() < until_s:
            inbox.wait(0.1)
            message = inbox.take_one()
            if isinstance(message, Opened):
                return message.info
            if isinstance(message, frames.Failed):
                self._died = True  # it ends by itself
                raise message.error
            if message is None and inbox.ended:
                raise _no_answer(child.reason())
        raise _no_answer("no answer")

    def _news(self) -> list[TriggerEvent]:
        """Return what is to be said of the process itself, as it runs."""
        now_s = self._clock.now()
        news = self._watch.look(now_s, self._sign_s)
        lag_s = self._sign_s - self._heard_until_s
        events: list[TriggerEvent] = [_held_up(lag_s, now_s)] if self._behind.look(now_s, lag_s) else []
        if news is None:
            return events
        if news == "back":
            words = "listens again: pulses that came meanwhile are counted now, or are said to be missed."
            return [TriggerNotice(f"The trigger's reader {words}", now_s)]
        deaf = f"has not listened for {now_s - self._sign_s:.1f} s, though it runs"
        if news == "hung":
            return [self._death(f"the trigger process {deaf}")]
        words = "pulses may come in late, and until it listens again no silence is held against the scanner."
        return [TriggerNotice(f"The trigger's reader {deaf}: {words}", now_s)]

    def _death(self, reason: str) -> TriggerDied:
        self._died = True
        return TriggerDied(reason, self._clock.now())


def _held_up(lag_s: float, now_s: float) -> TriggerNotice:
    words = (
        f"The trigger's reader is held up again and again: what lacks, a stop too, is told some {lag_s:.1f} s later than "
        "it could be. Other programs keep this computer too busy."
    )
    return TriggerNotice(words, now_s)


def _no_answer(found: str) -> ProcessDiedError:
    return ProcessDiedError(
        "trigger process",
        found=found,
        expected="the trigger opened",
        remedy="This is a fault of the program or of a driver; please report it.",
    )
