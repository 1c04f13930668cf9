"""What the trigger says while no run is armed: it belongs to none, and tells whether the scanner runs already."""

from __future__ import annotations

import logging
from collections import deque
from collections.abc import Iterable

from closedloop.errors import TriggerError
from closedloop.scan.findings import RanBefore
from closedloop.scan.ledger import SILENT_TR
from closedloop.scan.ports import Pulse, TriggerDied, TriggerNotice, TriggerSource
from closedloop.session import SessionStore

log = logging.getLogger(__name__)

NOTICE = "trigger_notice"
"""Kind of the event that keeps what a trigger's reader says of itself."""

_KEPT = 4096


class Overheard:
    """Keeps what comes while no run is armed, and the stamps of the latest pulses of all.

    Args:
        trigger: opened.
        store: the session file.
    """

    def __init__(self, trigger: TriggerSource, store: SessionStore) -> None:
        self._trigger = trigger
        self._store = store
        self._pulses_s: deque[float] = deque(maxlen=_KEPT)

    def listen(self) -> str:
        """Take in and record what came since the last call.

        Returns:
            What the reader said of itself last, in words; empty: nothing.

        Raises:
            TriggerError: the trigger's reader is gone.
        """
        said = ""
        died: TriggerDied | None = None
        for event in self._trigger.poll():
            if isinstance(event, TriggerDied):
                died = event
            elif isinstance(event, TriggerNotice):
                said = event.words
                note(self._store, event)
            elif isinstance(event, Pulse):
                self.take(event)
            else:
                self._store.add_event("unarmed_press", event.time_s, key=event.key)
        if died is not None:
            raise gone(died, "Check the plug and the device.")
        return said

    def take(self, pulse: Pulse) -> None:
        """Record a pulse that came while no run was armed, even if the reader handed it over later."""
        self._pulses_s.append(pulse.time_s)
        self._store.add_event("unarmed_pulse", pulse.time_s, mark=pulse.mark)
        log.info("a pulse came while no run was armed")

    def add(self, pulses_s: Iterable[float]) -> None:
        """Know of the pulses of a run that is over, too."""
        self._pulses_s.extend(pulses_s)

    def behind_s(self, now_s: float) -> float:
        """Return for how long the trigger has not been listened to: what came in that time is not known of yet."""
        return max(0.0, now_s - self._trigger.heard_until_s)

    def silent(self, now_s: float, tr_s: float) -> bool:
        """Return whether the scanner has sent nothing for so long that it does not run.

        Only time that was listened to tells so.
        """
        heard_s = now_s - self.behind_s(now_s)
        return not self._pulses_s or heard_s - self._pulses_s[-1] > SILENT_TR * tr_s

    def ran_before(self, now_s: float, tr_s: float) -> RanBefore | None:
        """Return the pulses that came one after the other until ``now_s``; None if the scanner is silent."""
        if self.silent(now_s, tr_s):
            return None
        since_s = last_s = self._pulses_s[-1]
        pulses = 0
        for time_s in reversed(self._pulses_s):
            if since_s - time_s > SILENT_TR * tr_s:
                break
            since_s = time_s
            pulses += 1
        return RanBefore(since_s, last_s, pulses)


def note(store: SessionStore, notice: TriggerNotice) -> None:
    """Record and log what a trigger's reader says of itself."""
    store.add_event(NOTICE, notice.time_s, words=notice.words)
    log.warning("%s", notice.words)


def gone(died: TriggerDied, remedy: str) -> TriggerError:
    """Return the error to raise when the trigger's reader is gone."""
    return TriggerError(
        "trigger", found=died.reason, expected="it to be heard as long as the session runs", remedy=remedy
    )
