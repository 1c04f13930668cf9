"""One stream as it is sent: laid trials, and between them nothing but signs of life.

What no recorded trial answers for is sent so that no trial can be scored by it: NaN where the stream has
numbers for it (see ``FollowedSession``), and for spikes nothing that fired.
"""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import numpy.typing as npt

from closedloop.ports import Float64
from closedloop.replay.following.lay import SAME_S, Lay


@dataclass
class _Piece:
    stamps_s: Float64
    values: npt.NDArray[Any]
    core: int
    begun: bool = False  # some of it was sent: there is no room for anything before it

    def drop(self, count: int) -> None:
        self.stamps_s, self.values = self.stamps_s[count:], self.values[count:]
        self.core, self.begun = max(0, self.core - count), True

    def end_at(self, time_s: float) -> None:
        keep = np.arange(len(self.stamps_s)) < self.core
        keep |= self.stamps_s < time_s
        self.stamps_s, self.values = self.stamps_s[keep], self.values[keep]


class Track:
    """Samples of one stream in the order of their sending.

    Args:
        fill: (channels,) the sample that says nothing.
        step_s: between two of them; of a regular stream its period.
        regular: whether the stream has a nominal rate.
        any_time: a sample answers for its trial whenever it comes (kind trials).

    Attributes:
        reached_s: everything before this time has been sent.
    """

    def __init__(
        self, fill: npt.NDArray[Any], step_s: float, *, regular: bool, any_time: bool = False
    ) -> None:
        self._fill, self._step_s = fill, step_s
        self._half_s = step_s / 2 if regular else 0.0
        self._regular, self._any_time = regular, any_time
        self._pieces: deque[_Piece] = deque()
        self._last_s = self.reached_s = -np.inf
        self._silent_until_s = -np.inf
        self._room_s = 0.0
        self._before: Lay | None = None

    def start(self, time_s: float) -> None:
        """Begin, or begin anew after a pause, at a time."""
        self._pieces.clear()
        self._before = None
        self.reached_s = max(self.reached_s, time_s)
        self._last_s = max(self._last_s, time_s - self._step_s)

    def hush(self, until_s: float) -> None:
        """Send nothing more before a time, but for what the windows of laid trials need."""
        if self._pieces:
            self._pieces[-1].end_at(-np.inf)
        self._silent_until_s = max(self._silent_until_s, until_s)

    def lay(self, lay: Lay) -> bool:
        """Take the samples of a trial.

        Returns:
            False if there is no place for them: their time was sent already, or belongs to a trial that
            did not come before this one in the recording.
        """
        if self._any_time:
            self._append(lay)
            return True
        joined = self._joined(lay)
        placed = self._making_room(lay) if joined is None else joined
        if not self._fits(placed, joined is not None):
            return False
        if self._pieces:
            self._pieces[-1].end_at(-np.inf if joined else placed.begins_s - self._half_s)
        self._append(placed)
        self._before = placed
        return True

    def until(self, time_s: float) -> tuple[Float64, npt.NDArray[Any]]:
        """Return the stamps (n,) and values (n, channels) of what is to be sent up to a time."""
        stamps: list[Float64] = [np.empty(0)]
        values: list[npt.NDArray[Any]] = [np.empty((0, len(self._fill)), self._fill.dtype)]
        while True:
            piece = self._pieces[0] if self._pieces else None
            if piece is not None and not len(piece.stamps_s):
                self._pieces.popleft()
                continue
            if piece is None or not piece.begun:
                filled = self._fills(time_s, np.inf if piece is None else float(piece.stamps_s[0]))
                stamps.append(filled)
                values.append(np.repeat(self._fill[None], len(filled), axis=0))
            # a stamp may lie a little before the one ahead of it, at the seam of two trials
            count = 0 if piece is None else _reached(piece.stamps_s, time_s)
            if piece is None or not count:
                break
            sent = piece.stamps_s[:count]
            stamps.append(np.maximum(sent, self._last_s) if self._any_time else sent)
            values.append(piece.values[:count])
            self._last_s = max(self._last_s, float(sent.max()))
            self._room_s = self._half_s
            piece.drop(count)
        self.reached_s = max(self.reached_s, time_s)
        return np.concatenate(stamps), np.concatenate(values)

    def _joined(self, lay: Lay) -> Lay | None:
        """Return what a trial adds to the one before, if they share samples in the recording and now.

        With windows that touch, the bin over the border belongs to both trials. It is sent once.
        """
        before = self._before
        if before is None or before.run != lay.run:
            return None
        if not before.covers_s[0] < lay.covers_s[0] <= before.covers_s[1]:
            return None
        apart_s = lay.shift_s - before.shift_s
        if abs(apart_s) > max(SAME_S, self._half_s / 2):
            return None
        if self._regular and abs(apart_s) > self._half_s / 2:
            lay = lay.moved(-apart_s)  # bins so short would overlap at the seam, or leave a hole there
        return lay.after(before.covers_s[1])

    def _making_room(self, lay: Lay) -> Lay:
        """Leave out first samples that lie where the trial before has its last ones, if no score hangs on them.

        This is for windows that touch, of trials that did not follow on each other in the recording.
        """
        before = self._before
        if before is None or self._last_s > before.ends_s:
            return lay
        lost = int(np.searchsorted(lay.stamps_s, before.ends_s + self._half_s, side="left"))
        if not 0 < lost <= lay.spare:
            return lay
        return replace(lay.after(float(lay.recorded_s[lost - 1])), begins_s=float(lay.stamps_s[lost]))

    def _fits(self, lay: Lay, joined: bool) -> bool:
        taken_s = -np.inf if self._before is None else self._before.ends_s
        if self._regular:
            free_s = max(self._last_s, taken_s) + self._half_s
            return not len(lay.stamps_s) or float(lay.stamps_s[0]) >= free_s
        if lay.begins_s < self._silent_until_s:
            return False  # the silence is what makes another trial invalid
        if joined:
            return taken_s >= self.reached_s
        return lay.begins_s >= max(self.reached_s, taken_s - SAME_S)

    def _append(self, lay: Lay) -> None:
        self._pieces.append(_Piece(lay.stamps_s, lay.values, lay.core))

    def _fills(self, time_s: float, next_s: float) -> Float64:
        # After a trial there is half a bin more: if its last bin ends a little too early by the clock of the
        # listener, the next one must not reach into the window.
        first_s = max(self._last_s + self._step_s + self._room_s, self._silent_until_s)
        count = int(np.floor((time_s - first_s) / self._step_s)) + 1 if time_s >= first_s else 0
        filled: Float64 = first_s + np.arange(count, dtype=np.float64) * self._step_s
        filled = np.asarray(filled[filled < next_s - self._half_s], dtype=np.float64)
        if len(filled):
            self._last_s, self._room_s = float(filled[-1]), 0.0
        return filled


def _reached(stamps_s: Float64, time_s: float) -> int:
    return int(np.searchsorted(np.maximum.accumulate(stamps_s), time_s, side="right"))
