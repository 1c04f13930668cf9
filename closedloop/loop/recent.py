"""The last seconds of a stream, in memory, for judging trials as they end."""

from __future__ import annotations

from collections import deque
from typing import Any

import numpy as np
import numpy.typing as npt

from closedloop.ports import Chunk, Float64


class RecentSamples:
    """Keeps chunks until they are told to be forgotten."""

    def __init__(self) -> None:
        self._chunks: deque[Chunk] = deque()
        self.newest_s = -np.inf

    def add(self, chunk: Chunk) -> None:
        """Take a chunk; chunks come in order."""
        self._chunks.append(chunk)
        self.newest_s = max(self.newest_s, float(chunk.times_s[-1]))

    def forget(self, before_s: float) -> None:
        """Drop chunks that end before a time, but for the newest one of them.

        That one stays because coverage of a window is judged against the sample before it.
        """
        while len(self._chunks) > 1 and float(self._chunks[1].times_s[-1]) < before_s:
            self._chunks.popleft()

    def between(
        self, start_s: float, end_s: float
    ) -> tuple[Float64, npt.NDArray[Any], npt.NDArray[np.int64]]:
        """Return stamps, values and segments of all chunks that a span needs, and a neighbour on each side."""
        chunks = list(self._chunks)
        first = next((i for i, c in enumerate(chunks) if float(c.times_s[-1]) >= start_s), len(chunks))
        last = next((i for i, c in enumerate(chunks) if float(c.times_s[0]) > end_s), len(chunks) - 1)
        wanted = chunks[max(first - 1, 0) : last + 1]
        if not wanted:
            return np.empty(0), np.empty((0, 0)), np.empty(0, dtype=np.int64)
        return (
            np.concatenate([c.times_s for c in wanted]),
            np.concatenate([c.values for c in wanted]),
            np.concatenate([np.full(len(c.stamps_raw_s), c.segment, dtype=np.int64) for c in wanted]),
        )
