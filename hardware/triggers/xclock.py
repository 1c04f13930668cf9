"""The X server's own event time, and what it is on LSL's clock.

The server stamps an event in whole milliseconds of its clock, modulo 2**32, cut off and not rounded. On Linux
that clock and ``local_clock`` are the same monotonic one, where both programs run on one machine; here this is
not believed but measured: the server is asked for its time between two readings of ``local_clock``, and each
answer bounds the offset from both sides. Bounds that contradict each other show a clock of coarser ticks.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable
from dataclasses import dataclass

_WRAP_MS = 1 << 32
_TICKS_S = (0.001, 0.002, 0.004, 0.005, 0.008, 0.011, 0.016, 0.032)
_KEPT = 40
_KEPT_S = (
    120.0  # two machines' clocks part by 100 ppm at most: 12 ms in this time, so older bounds are let go
)


@dataclass(frozen=True)
class ServerProbe:
    """The server's clock showed ``server_s`` somewhere between two readings of ``local_clock``."""

    before_s: float
    after_s: float
    server_s: float


@dataclass(frozen=True)
class ServerClock:
    """What to make of the server's stamps.

    Attributes:
        offset_s: to be added to them; 0 where the clock is the same.
        hidden_s: by how much the offset may be off.
        tick_s: of the server's clock.
        same: whether the server's clock is ``local_clock`` itself, as far as can be told.
    """

    offset_s: float
    hidden_s: float
    tick_s: float
    same: bool

    @property
    def uncertainty_s(self) -> float:
        """How far a time that ``local`` returns may be off."""
        return self.tick_s / 2 + self.hidden_s

    def local(self, server_s: float, received_s: float) -> tuple[float, float]:
        """Return the ``local_clock`` time that a stamp stands for, and its uncertainty.

        That is the middle of the tick, or of that part of it which was over when the event was received.
        """
        begin_s = server_s + self.offset_s
        tick_s = max(0.0, min(self.tick_s, received_s - begin_s))
        return begin_s + tick_s / 2, tick_s / 2 + self.hidden_s


def fit_server_clock(probes: Iterable[ServerProbe]) -> ServerClock | None:
    """Return the clock with the finest ticks that agrees with all probes; None if none does."""
    probes = list(probes)
    for tick_s in _TICKS_S:
        low_s = max(probe.before_s - probe.server_s - tick_s for probe in probes)
        high_s = min(probe.after_s - probe.server_s for probe in probes)
        if low_s > high_s:
            continue
        same = low_s <= 0 <= high_s
        offset_s = 0.0 if same else (low_s + high_s) / 2
        hidden_s = 0.0 if same else (high_s - low_s) / 2
        return ServerClock(offset_s, hidden_s, tick_s, same)
    return None


def unwrap_s(stamp_ms: int, near_s: float) -> float:
    """Return a stamp of 32 bits in seconds, as the one of all it may be that is closest to ``near_s``."""
    return (stamp_ms + _WRAP_MS * round((1000 * near_s - stamp_ms) / _WRAP_MS)) / 1000


class ServerTime:
    """Keeps the newest probes and the clock that follows from them.

    Args:
        near_s: where the first stamp is looked for, as of ``unwrap_s``.
    """

    def __init__(self, near_s: float) -> None:
        self._near_s = near_s
        self._probes: deque[ServerProbe] = deque(maxlen=_KEPT)
        self.clock: ServerClock | None = None

    def unwrap(self, stamp_ms: int) -> float:
        """Return a stamp of the server in seconds, going on across its wrap after 49.7 days."""
        self._near_s = unwrap_s(stamp_ms, self._near_s)
        return self._near_s

    def add(self, probe: ServerProbe) -> None:
        """Take a probe in; if it contradicts the others the clock has stepped, and it begins anew."""
        while self._probes and probe.before_s - self._probes[0].before_s > _KEPT_S:
            self._probes.popleft()
        self._probes.append(probe)
        clock = fit_server_clock(self._probes)
        if clock is None:
            self._probes.clear()
            self._probes.append(probe)
            clock = fit_server_clock(self._probes)
        self.clock = clock
