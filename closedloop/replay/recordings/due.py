"""When samples are due: never before the ones recorded before them, whatever their stamps say."""

from __future__ import annotations

import numpy as np

from closedloop.ports import Float64
from closedloop.replay.recordings.recording import Block

_NOTHING_S = -np.inf


def due_times(times_s: Float64, after_s: float = _NOTHING_S) -> Float64:
    """Return when samples with these stamps (n,) are to be sent, so that their order stays.

    Args:
        times_s: the stamps.
        after_s: when the sample before them was due.
    """
    return np.maximum.accumulate(np.maximum(times_s, after_s))


class Trim:
    """Leaves out the samples of successive blocks that were due before a time.

    Args:
        since_s: the time.
    """

    def __init__(self, since_s: float) -> None:
        self._since_s = since_s
        self._due_s = _NOTHING_S

    def __call__(self, block: Block) -> Block | None:
        """Return what is left of the next block, or None."""
        if self._due_s >= self._since_s:
            return block
        due_s = due_times(block.times_s, self._due_s)
        self._due_s = float(due_s[-1])
        first = int(np.searchsorted(due_s, self._since_s, side="left"))
        if first == len(due_s):
            return None
        return block if first == 0 else Block(block.times_s[first:], block.values[first:])
