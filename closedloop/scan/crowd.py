"""Do more pulses come than the protocol knows of, regularly? A box that sends slices, or another TR by far.

The ledger holds pulses against a grid, and calls each one between two places a stray. Here they are looked at among
themselves, whatever they were taken for.
"""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass
from itertools import pairwise

from closedloop.scan.relock import OTHER_TR, SAME_TR
from closedloop.scan.sequence import UNSETTLED_JITTERS

_CLOSE = 1.1 * OTHER_TR[0]
"""Of the grid's interval: pulses that are nearer than this are close; a little more than where another TR begins."""

_FEW = 5
_LASTS = 1.2
"""Pulses are a crowd when ``_FEW`` or more come evenly for so many intervals of the grid."""

_BURSTS = 3
"""Or when so many times running, a TR apart, as many come evenly, and then none."""

_WIDEST = 0.4  # of the spacing: by how much intervals may differ that are called even

_TOLD = 12
"""Of pulses that come evenly so many are told one by one."""


@dataclass(frozen=True)
class Crowded:
    """How the pulses come that the grid has no places for.

    Attributes:
        spacing_s: from one to the next.
        times_s: stamps of the pulses that came evenly; with ``burst``, of the first one of each.
        burst: how many come one after the other until a silence, once a TR; None if there is no silence.
        share: without ``burst``, how many come in an interval of the grid; None if that is no whole number, so that
            the grid's places are none of theirs.
    """

    spacing_s: float
    times_s: tuple[float, ...]
    burst: int | None
    share: int | None


@dataclass(frozen=True)
class _Row:
    """Pulses that follow each other evenly.

    Attributes:
        first_s: stamp of the first.
        last_s: stamp of the last.
        n: how many.
    """

    first_s: float
    last_s: float
    n: int

    @property
    def lasts_s(self) -> float:
        """From the first to the last."""
        return self.last_s - self.first_s

    @property
    def spacing_s(self) -> float:
        """Mean interval; 0 of a single pulse."""
        return self.lasts_s / max(self.n - 1, 1)


class Crowd:
    """Looks out for pulses that come evenly and more closely than the grid's.

    Args:
        interval_s: of the grid.
        jitter_s: largest jitter of a pulse that is normal.
        debounce_s: pulses that all lie within so short a time are one that bounces, or noise.
        bursts: whether the grid has one pulse a volume, so that several in a row and a silence are a volume's slices.

    Attributes:
        found: what was found; None as long as nothing was.
    """

    def __init__(self, interval_s: float, jitter_s: float, debounce_s: float, *, bursts: bool) -> None:
        self._interval_s, self._jitter_s, self._debounce_s = interval_s, jitter_s, debounce_s
        self._row: _Row | None = None
        self._times_s: list[float] = []  # of the row, until something is found
        self._rows: deque[_Row] | None = deque(maxlen=_BURSTS) if bursts else None
        self._in_step = False
        self.found: Crowded | None = None

    @property
    def holds(self) -> bool:
        """Whether the latest pulse goes on with what is known, so that there is no news in it."""
        if self.found is not None:
            return self._in_step
        return self._row is not None and self._row.n > _TOLD

    def stands_on(self, interval_s: float) -> None:
        """Hold the pulses against a grid of another interval from now on; those so far are none against it."""
        self._interval_s, self.found, self._row = interval_s, None, None
        if self._rows is not None:
            self._rows.clear()

    def window_s(self, early_s: float, late_s: float) -> tuple[float, float]:
        """Return by how much a pulse may be early and late for its place, among others that come as evenly as now."""
        row = self._row
        if row is None or row.n < _FEW or row.lasts_s < self._debounce_s:
            return early_s, late_s
        half_s = max(row.spacing_s / 2 + self._jitter_s, 3 * self._jitter_s)
        # as long as it is not known how they come, an early one must not take the place of the one that is due
        return (min(early_s, half_s), late_s) if self.found is None else (half_s, half_s)

    def feed(self, time_s: float) -> Crowded | None:
        """Take in a pulse, whatever it is taken for.

        Returns:
            What was found, once, when it is.
        """
        row = self._row
        if row is None:
            self._begin(time_s)
            return None
        gap_s = time_s - row.last_s
        self._in_step = self._goes_on(row, gap_s)
        if 0 < gap_s < _CLOSE * self._interval_s and (row.n == 1 or self._even(gap_s, row.spacing_s)):
            self._row = _Row(row.first_s, time_s, row.n + 1)
        else:
            self._end(row, gap_s)
            self._begin(time_s)
        if self.found is not None:
            return None
        if self._row is not None and self._row.n > 1:
            self._times_s.append(time_s)
        self.found = self._lasting() or self._bursts(time_s)
        self._in_step = self.found is not None
        return self.found

    def _begin(self, time_s: float) -> None:
        self._row = _Row(time_s, time_s, 1)
        self._times_s = [time_s]

    def _end(self, row: _Row, gap_s: float) -> None:
        """Keep the pulses that a silence came after, if they may be a volume's slices."""
        if self._rows is None:
            return
        if row.n == 1 or row.lasts_s < self._debounce_s or gap_s < row.spacing_s:
            self._rows.clear()
        else:
            self._rows.append(row)

    def _goes_on(self, row: _Row, gap_s: float) -> bool:
        """Return whether a pulse comes as was found, one or more of those before it maybe lost."""
        found = self.found
        if found is None:
            return False
        if found.burst is not None and row.n == found.burst:
            return True
        steps = round(gap_s / found.spacing_s)
        return steps > 0 and self._even(gap_s - (steps - 1) * found.spacing_s, found.spacing_s)

    def _lasting(self) -> Crowded | None:
        row = self._row
        if row is None or row.n < _FEW or row.lasts_s < _LASTS * self._interval_s:
            return None
        ratio = self._interval_s / row.spacing_s
        share = round(ratio) if abs(ratio - round(ratio)) <= SAME_TR * ratio else None
        return Crowded(row.spacing_s, tuple(self._times_s), None, share)

    def _bursts(self, time_s: float) -> Crowded | None:
        rows = tuple(self._rows or ())
        if len(rows) < _BURSTS or not all(self._a_tr_apart(one, other) for one, other in pairwise(rows)):
            return None
        firsts_s = [row.first_s for row in rows]
        if self._near(time_s - firsts_s[-1]):
            firsts_s.append(time_s)
        return Crowded(rows[-1].spacing_s, tuple(firsts_s), rows[-1].n, None)

    def _a_tr_apart(self, one: _Row, other: _Row) -> bool:
        """Return whether two bursts are those of two volumes in a row."""
        alike = one.n == other.n and self._even(one.spacing_s, other.spacing_s)
        return alike and self._near(other.first_s - one.first_s)

    def _near(self, gap_s: float) -> bool:
        """Return whether a time is an interval of the grid."""
        return abs(gap_s - self._interval_s) <= max(
            SAME_TR * self._interval_s, UNSETTLED_JITTERS * self._jitter_s
        )

    def _even(self, one_s: float, other_s: float) -> bool:
        return abs(one_s - other_s) <= min(UNSETTLED_JITTERS * self._jitter_s, _WIDEST * other_s)
