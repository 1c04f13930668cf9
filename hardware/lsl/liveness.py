"""Whether a stream is alive: a state machine over the age of its newest sample. Nothing here knows LSL.

A hung sender raises no error, so age is what tells. It counts from the newest sample's stamp (in local
time) or from its receipt, whichever is longer ago: a backlog that arrives late is still late, and a stamp
in the future makes nobody young.

Nor is a stream believed whose clock can't be: samples stamped in the future, or a clock measurement off the
line, mean that we don't know when its samples were taken.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

from closedloop.ports import StreamState, StreamStateChange
from closedloop.protocol.models import Liveness

_PERIODS = 2.5  # a slow regular stream is late only when this many of its periods have passed

FUTURE_S = 0.010
"""A stamp may lie so far beyond its receipt, and the clock's uncertainty: above what a sender rounds up to
(bins of a few ms that end just after they are sent), below what would move a response window's edge by
more than a neuron's latency varies."""


@dataclass(frozen=True)
class Thresholds:
    """Ages in seconds; ``ages`` False: only a lost connection tells, silence says nothing."""

    late_s: float
    lost_s: float
    recover_s: float
    ages: bool = True


def thresholds(kind: str, nominal_hz: float, liveness: Liveness, keep_alive: bool = False) -> Thresholds:
    """Return the ages that fit a stream.

    - A regular stream: those of the protocol, though never less than 2.5 of its periods.
    - ``spikes``: units may be silent, so LATE after ``max_silence_ms`` and LOST that much later as for
      other kinds. Once the sender has sent a keep-alive (unit -1), it has promised to send more of them,
      and the protocol's ages hold.
    - ``trials``: no sample is due when no trial is shown, so silence says nothing (a missing answer makes
      its trial invalid, after ``wait_ms``). Once the sender has sent a keep-alive (trial -1), the
      protocol's ages hold.
    - ``fixation``: those of the protocol, regular or not: a gaze that nobody confirms is not believed.

    Args:
        kind: of the stream.
        nominal_hz: nominal rate, 0 for an irregular one.
        liveness: of the protocol.
        keep_alive: whether a keep-alive has been heard from this sender.
    """
    late_s, lost_s = liveness.late_after_ms / 1000, liveness.lost_after_ms / 1000
    recover_s = liveness.recover_ms / 1000
    if nominal_hz > 0:
        shift_s = max(0.0, _PERIODS / nominal_hz - late_s)
        return Thresholds(late_s + shift_s, lost_s + shift_s, recover_s)
    if keep_alive or kind == "fixation":
        return Thresholds(late_s, lost_s, recover_s)
    if kind == "spikes":
        silence_s = liveness.max_silence_ms / 1000
        return Thresholds(silence_s, silence_s + lost_s - late_s, recover_s)
    return Thresholds(late_s, lost_s, recover_s, ages=False)


class LivenessMonitor:
    """Follows one stream.

    Args:
        role: of the stream.
        limits: its ages; may be set anew at any time.
        now_s: when it was opened.
    """

    def __init__(self, role: str, limits: Thresholds, now_s: float) -> None:
        self.limits = limits
        self._role = role
        self._state = StreamState.RECOVERING
        self._connected = True
        self._since_s = now_s  # of the connection
        self._newest_s: float | None = None  # the older of stamp and receipt of the newest sample
        self._fresh_since_s: float | None = None
        self._ahead_s: float | None = None  # how far in the future the newest sample's stamp lies, if it does
        self._ahead_until_s = -math.inf  # the farthest such stamp
        self._distrusted: str | None = None

    @property
    def state(self) -> StreamState:
        """As of the last change."""
        return self._state

    def age_s(self, now_s: float) -> float:
        """Seconds since the newest sample, or since the connection where there is none."""
        return now_s - (self._since_s if self._newest_s is None else self._newest_s)

    def heard(
        self, stamp_s: float, received_s: float, uncertainty_s: float = 0.0
    ) -> StreamStateChange | None:
        """A sample has come, stamped ``stamp_s`` in local time.

        Returns:
            That the stream is LATE, if the stamp lies in the future; to be told before the sample itself,
            so that nothing is judged by it.
        """
        newest_s = min(stamp_s, received_s)
        if self._newest_s is None or newest_s > self._newest_s:
            self._newest_s = newest_s
        if not stamp_s - received_s > uncertainty_s + FUTURE_S:
            self._ahead_s = None
            return None
        self._ahead_s = stamp_s - received_s
        self._ahead_until_s = max(self._ahead_until_s, stamp_s)
        return self._late(received_s, self._doubt(received_s) or "")

    def distrust(self, now_s: float, reason: str) -> StreamStateChange | None:
        """The stream's clock is not to be believed until ``trust``; it is LATE at once, or stays LOST."""
        self._distrusted = reason
        return self._late(now_s, reason)

    def trust(self) -> None:
        """The stream's clock can be believed again; the stream must flow before it is LIVE."""
        self._distrusted = None

    def disconnected(self, now_s: float, reason: str) -> StreamStateChange | None:
        """The connection is gone; it is LOST at once, or stays so (then None)."""
        self._connected = False
        return self._to(StreamState.LOST, now_s, reason)

    def connected(self, now_s: float) -> None:
        """There is a new connection; it must flow before anything is believed."""
        self._connected = True
        self._since_s = now_s
        self._newest_s = self._ahead_s = self._distrusted = None

    def note(self, now_s: float, reason: str) -> StreamStateChange:
        """Say the present state once more, with a further reason (a sender that was refused)."""
        return StreamStateChange(self._role, self._state, now_s, self.age_s(now_s), reason)

    def tick(self, now_s: float) -> StreamStateChange | None:
        """Return the change that time has brought, if any. Call it every few milliseconds."""
        if not self._connected:
            return None
        age_s = self.age_s(now_s)
        if self.limits.ages and age_s > self.limits.lost_s:
            return self._to(StreamState.LOST, now_s, f"no sample is younger than {age_s:.3f} s")
        if self.limits.ages and age_s > self.limits.late_s:
            return self._late(now_s, f"no sample is younger than {age_s:.3f} s")
        doubt = self._doubt(now_s)
        return self._fresh(now_s) if doubt is None else self._late(now_s, doubt)

    def _doubt(self, now_s: float) -> str | None:
        # where no sample need come, none can be waited for: no trial would ever be shown again
        if self._ahead_s is not None and self.limits.ages:
            return f"its stamps lie {self._ahead_s * 1000:.0f} ms in the future"
        if now_s < self._ahead_until_s:
            # samples with these stamps have been handed out, and would answer trials yet to be shown
            return f"its stamps lie {(self._ahead_until_s - now_s) * 1000:.0f} ms in the future"
        return self._distrusted

    def _late(self, now_s: float, reason: str) -> StreamStateChange | None:
        # out of LOST only what is fresh leads; an old backlog does not
        if self._state is not StreamState.LOST:
            return self._to(StreamState.LATE, now_s, reason)
        self._fresh_since_s = None
        return None

    def _fresh(self, now_s: float) -> StreamStateChange | None:
        if self.limits.ages and self._newest_s is None:
            return None
        if self._fresh_since_s is None:
            self._fresh_since_s = now_s
        if self._state is StreamState.LIVE:
            return None
        if now_s - self._fresh_since_s >= self.limits.recover_s:
            return self._to(StreamState.LIVE, now_s, "samples flow")
        return self._to(StreamState.RECOVERING, now_s, "samples flow again")

    def _to(self, state: StreamState, now_s: float, reason: str) -> StreamStateChange | None:
        if state in (StreamState.LATE, StreamState.LOST):
            self._fresh_since_s = None
        if state is self._state:
            return None
        self._state = state
        return StreamStateChange(self._role, state, now_s, self.age_s(now_s), reason)
