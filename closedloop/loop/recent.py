"""The last seconds of a stream, in memory, for judging trials as they end."""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from closedloop.ports import Chunk, Float64


@dataclass(frozen=True)
class _Held:
    """A chunk with its corrected times, worked out once."""

    chunk: Chunk
    times_s: Float64
    first_s: float
    last_s: float


class RecentSamples:
    """Keeps chunks until they are told to be forgotten."""

    def __init__(self) -> None:
        self._held: deque[_Held] = deque()
        self.newest_s = -np.inf

    def __len__(self) -> int:
        return len(self._held)

    def add(self, chunk: Chunk) -> None:
        """Take a chunk; chunks come in order."""
        held = _Held(chunk, chunk.times_s, *chunk.span_s)
        self._held.append(held)
        self.newest_s = max(self.newest_s, held.last_s)

    def forget(self, before_s: float) -> None:
        """Drop chunks that end before a time, but for the newest one of them.

        That one stays because coverage of a window is judged against the sample before it.
        """
        while len(self._held) > 1 and self._held[1].last_s < before_s:
            self._held.popleft()

    def between(
        self, start_s: float, end_s: float
    ) -> tuple[Float64, npt.NDArray[Any], npt.NDArray[np.int64]]:
        """Return stamps, values and segments of all chunks that a span needs, and a neighbour on each side."""
        held = list(self._held)
        first = next((i for i, h in enumerate(held) if h.last_s >= start_s), len(held))
        last = next((i for i, h in enumerate(held) if h.first_s > end_s), len(held) - 1)
        wanted = held[max(first - 1, 0) : last + 1]
        if not wanted:
            return np.empty(0), np.empty((0, 0)), np.empty(0, dtype=np.int64)
        return (
            np.concatenate([h.times_s for h in wanted]),
            np.concatenate([h.chunk.values for h in wanted]),
            np.concatenate([np.full(len(h.times_s), h.chunk.segment, dtype=np.int64) for h in wanted]),
        )
