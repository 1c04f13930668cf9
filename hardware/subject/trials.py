"""The ``trials`` kind: one sample a trial, with the trial's number as the markers tell it."""

from __future__ import annotations

from collections import deque

import numpy as np
import numpy.typing as npt

from hardware.subject.firing import Float, Int

KEEP_ALIVE_TRIAL = -1
_KEEP_ALIVE_S = 0.020
_SAME_ONSET_S = 0.050  # a marker belongs to the change on the screen that was seen this near to it
_MEMORY_S = 3.0  # how long an onset waits for its marker, and spikes for their onset


class TrialEncoder:
    """Counts each unit's spikes in a window after each onset, and names the trial.

    A trial whose onset was not seen on the screen, or whose marker never came, gets no sample.

    Args:
        units: how many.
        window_s: begin and end after the onset.
    """

    lead = 1

    def __init__(self, units: int, window_s: tuple[float, float]) -> None:
        self._units, self._window_s = units, window_s
        self._onsets_s: deque[float] = deque()
        self._markers: deque[tuple[float, int]] = deque()
        self._times, self._who = np.empty(0), np.empty(0, np.int32)
        self._sent_s = 0.0

    def onset(self, time_s: float) -> None:
        """A picture was seen to come on."""
        self._onsets_s.append(time_s)

    def marker(self, time_s: float, trial: int) -> None:
        """A marker says that a trial's picture came on."""
        self._markers.append((time_s, trial))

    def encode(
        self, until_s: float, times_s: Float, units: Int
    ) -> tuple[npt.NDArray[np.float64], list[float]]:
        """See ``Encoder``."""
        self._times, self._who = np.concatenate([self._times, times_s]), np.concatenate([self._who, units])
        rows: list[npt.NDArray[np.float64]] = []
        for onset_s in [onset for onset in self._onsets_s if onset + self._window_s[1] <= until_s]:
            trial = self._trial_of(onset_s)
            if trial is not None:
                rows.append(np.concatenate([[trial], self._rates(onset_s)]))
                self._onsets_s.remove(onset_s)
        if not rows and until_s - self._sent_s >= _KEEP_ALIVE_S:
            rows.append(np.concatenate([[KEEP_ALIVE_TRIAL], np.zeros(self._units)]))
        self._forget(until_s - _MEMORY_S)
        if rows:
            self._sent_s = until_s
        return np.array(rows).reshape(len(rows), self._units + 1), [until_s] * len(rows)

    def _trial_of(self, onset_s: float) -> int | None:
        near = [marker for marker in self._markers if abs(marker[0] - onset_s) <= _SAME_ONSET_S]
        if not near:
            return None
        nearest = min(near, key=lambda marker: abs(marker[0] - onset_s))
        self._markers.remove(nearest)
        return nearest[1]

    def _rates(self, onset_s: float) -> Float:
        begin_s, end_s = self._window_s
        inside = (self._times >= onset_s + begin_s) & (self._times < onset_s + end_s)
        counts = np.bincount(self._who[inside], minlength=self._units)
        return np.asarray(counts / (end_s - begin_s), dtype=np.float64)

    def _forget(self, before_s: float) -> None:
        while self._onsets_s and self._onsets_s[0] < before_s:
            self._onsets_s.popleft()
        while self._markers and self._markers[0][0] < before_s:
            self._markers.popleft()
        recent = self._times >= before_s
        self._times, self._who = self._times[recent], self._who[recent]
