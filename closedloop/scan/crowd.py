"""Do more pulses come than the protocol knows of, regularly? A box that sends slices, or another TR by far.

The ledger holds pulses against a grid, and calls each one between two places a stray. Here they are looked at among
themselves, whatever they were taken for.
"""

from __future__ import annotations

import math
from collections import deque
from dataclasses import dataclass
from itertools import pairwise

from closedloop.scan.relock import OTHER_TR, SAME_TR
from closedloop.scan.sequence import UNSETTLED_JITTERS

_FEW, _MANY = 5, 12
_LASTS = 1.2
"""Pulses are a crowd when ``_FEW`` or more come evenly for so many intervals of the grid, or ``_MANY`` for however
short: nobody taps a key as evenly as that."""

_BURSTS = 3
_JITTERS = UNSETTLED_JITTERS
"""The difference of two neighbouring intervals is at most so many jitters."""

_WIDEST = 0.4  # of the spacing: by how much intervals may differ that are called even


@dataclass(frozen=True)
class Crowded:
    """How the pulses come that the grid has no places for.

    Attributes:
        spacing_s: from one to the next.
        times_s: stamps of the latest ones that came evenly.
        burst: how many come one after the other until a silence, once a TR; None if no silence was seen.
        lasts: whether they have come evenly for more than an interval of the grid, so that there is no silence in it.
        share: how many come in an interval of the grid; None if that is no whole number for sure, so that the grid's
            places are none of theirs.
    """

    spacing_s: float
    times_s: tuple[float, ...]
    burst: int | None
    lasts: bool
    share: int | None


@dataclass(frozen=True)
class _Burst:
    """Pulses that follow each other evenly; stamps of first and last, and how many."""

    first_s: float
    last_s: float
    n: int

    @property
    def spacing_s(self) -> float:
        """Mean interval; 0 of a single pulse."""
        return (self.last_s - self.first_s) / max(self.n - 1, 1)


class Crowd:
    """Looks out for pulses that come evenly and more closely than the grid's.

    Args:
        interval_s: of the grid.
        jitter_s: largest jitter of a pulse that is normal.
        debounce_s: two pulses nearer than this are one that bounces.
        bursts: whether the grid has one pulse a volume, so that several in a row and a silence are a volume's slices.
    """

    def __init__(self, interval_s: float, jitter_s: float, debounce_s: float, *, bursts: bool) -> None:
        self._interval_s, self._jitter_s, self._debounce_s = interval_s, jitter_s, debounce_s
        self._now: _Burst | None = None
        self._times_s: deque[float] = deque(maxlen=_MANY)
        self._bursts: deque[_Burst] | None = deque(maxlen=_BURSTS) if bursts else None
        self._in_step = False
        self.found: Crowded | None = None

    @property
    def spacing_s(self) -> float:
        """How far apart the pulses are, if they come evenly and more closely than the grid's; infinity if not."""
        now = self._now
        if now is not None and now.n >= _FEW:
            return now.spacing_s
        return math.inf if self.found is None else self.found.spacing_s

    @property
    def holds(self) -> bool:
        """Whether the latest pulse goes on with what was found, so that there is no news in it."""
        return self.found is not None and self._in_step

    def feed(self, time_s: float) -> Crowded | None:
        """Take in a pulse, whatever it is taken for.

        Returns:
            What was found, once, when it is.
        """
        now = self._now
        self._times_s.append(time_s)
        if now is None:
            self._now = _Burst(time_s, time_s, 1)
            return None
        gap_s = time_s - now.last_s
        self._in_step = self.found is not None and (
            self._even(gap_s, self.found.spacing_s)
            or (self.found.burst is not None and now.n == self.found.burst)
        )
        if 0 < gap_s < OTHER_TR[0] * self._interval_s and (now.n == 1 or self._even(gap_s, now.spacing_s)):
            self._now = _Burst(now.first_s, time_s, now.n + 1)
        else:
            self._ended(now, gap_s)
            self._now = _Burst(time_s, time_s, 1)
        if self.found is not None:
            return None
        self.found = self._found()
        self._in_step = self.found is not None
        return self.found

    def _found(self) -> Crowded | None:
        now = self._now
        assert now is not None  # noqa: S101  a pulse was fed
        lasts = now.last_s - now.first_s >= _LASTS * self._interval_s
        if now.n >= _MANY or (now.n >= _FEW and lasts):
            times_s = tuple(self._times_s)[-now.n :]
            return Crowded(now.spacing_s, times_s, None, lasts, self._share(now.spacing_s, lasts))
        bursts = tuple(self._bursts or ())
        if (
            now.n > 1
            or len(bursts) < _BURSTS
            or not all(self._a_tr_apart(one, other) for one, other in pairwise(bursts))
        ):
            return None
        last = bursts[-1]
        return Crowded(last.spacing_s, (), last.n, lasts=False, share=last.n)

    def _share(self, spacing_s: float, lasts: bool) -> int | None:
        """Return how many pulses would come in an interval of the grid; None if that is no whole number for sure."""
        ratio = self._interval_s / spacing_s
        return round(ratio) if not lasts or abs(ratio - round(ratio)) <= SAME_TR * ratio else None

    def _ended(self, burst: _Burst, gap_s: float) -> None:
        """Keep the pulses that a silence came after, if they may be a volume's slices."""
        if self._bursts is None:
            return
        if burst.n == 1 or gap_s < burst.spacing_s or (burst.n == 2 and burst.spacing_s < self._debounce_s):
            self._bursts.clear()
        else:
            self._bursts.append(burst)

    def _a_tr_apart(self, one: _Burst, next_one: _Burst) -> bool:
        """Return whether two bursts are those of two volumes in a row."""
        off_s = next_one.first_s - one.first_s - self._interval_s
        return (
            one.n == next_one.n
            and self._even(one.spacing_s, next_one.spacing_s)
            and abs(off_s) <= max(SAME_TR * self._interval_s, _JITTERS * self._jitter_s)
        )

    def _even(self, one_s: float, other_s: float) -> bool:
        return abs(one_s - other_s) <= min(_JITTERS * self._jitter_s, _WIDEST * other_s)
