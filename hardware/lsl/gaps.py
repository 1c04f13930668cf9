"""Where a stream's stamps break off, so that nothing is fitted or averaged across the break."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import pairwise

import numpy as np

from closedloop.ports import Float64

_SHORTEST_GAP_S = 0.1  # below that it is the jitter of a sender that stamps whole chunks
_GAP_PERIODS = 5.0


class Continuity:
    """Follows the raw stamps of one stream.

    Args:
        nominal_hz: nominal rate; an irregular stream (0) has no gaps, only backward jumps.
    """

    def __init__(self, nominal_hz: float) -> None:
        longest_s = max(_SHORTEST_GAP_S, _GAP_PERIODS / nominal_hz) if nominal_hz > 0 else np.inf
        self._longest_step_s = longest_s
        self._last_s: float | None = None

    def restart(self) -> None:
        """What comes next follows on nothing."""
        self._last_s = None

    def pieces(self, stamps_s: Float64) -> Iterator[tuple[int, int, bool]]:
        """Split stamps where they jump.

        Args:
            stamps_s: (n,) raw stamps, n at least 1, that follow on those of the call before; a sender may give
                NaN for a time.

        Yields:
            First and end index of a piece, and whether there is a gap before it.
        """
        known = np.flatnonzero(np.isfinite(stamps_s))
        if not len(known):
            yield 0, len(stamps_s), False
            return
        before_s = stamps_s[known[0]] if self._last_s is None else self._last_s
        # a sample without a time is taken to lie where the one before it does
        newest = np.maximum.accumulate(np.where(np.isfinite(stamps_s), np.arange(len(stamps_s)), -1))
        steps_s = np.diff(np.where(newest < 0, before_s, stamps_s[newest]), prepend=before_s)
        jumps = (steps_s > self._longest_step_s) | (steps_s < -_SHORTEST_GAP_S)
        cuts = np.flatnonzero(jumps)
        edges = [0, *(int(cut) for cut in cuts if cut > 0), len(stamps_s)]
        for start, stop in pairwise(edges):
            yield start, stop, bool(jumps[start])
        self._last_s = float(stamps_s[known[-1]])
