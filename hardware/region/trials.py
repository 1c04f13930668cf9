"""The ``trials`` kind of a simulated region: its pipeline measures each trial itself, and sends one answer."""

from __future__ import annotations

from collections import deque

import numpy as np
import numpy.typing as npt

from closedloop.ports import Float64
from closedloop.scoring import Invalid, Kind, ResponseRule, Window, respond
from hardware.region.options import RegionOptions

KEEP_ALIVE_TRIAL = -1
_SAME_ONSET_S = 0.050  # a marker belongs to the change on the screen that was seen this near to it
_LASTS_S = 60.0  # an onset is of no use any more, nor a volume


class TrialAnswers:
    """Measures the trials that were seen and named.

    A trial whose onset was not seen on the screen, or whose marker never came, gets no answer.

    Args:
        options: see there.
    """

    def __init__(self, options: RegionOptions) -> None:
        regions, tr_s = len(options.regions), options.signal.tr_s
        self._rule = ResponseRule(
            kind=Kind.RATES,
            window=_in_seconds(options.window, tr_s),
            unit_count=regions,
            units=tuple(range(regions)),
            baseline=None if options.baseline is None else _in_seconds(options.baseline, tr_s),
            bin_s=tr_s,
        )
        self._onsets_s: deque[float] = deque()
        self._markers: deque[tuple[float, int]] = deque()
        self._ends_s: deque[float] = deque()
        self._volumes: deque[Float64] = deque()

    def onset(self, time_s: float) -> None:
        """A picture was seen to come on."""
        self._onsets_s.append(time_s)

    def marker(self, time_s: float, trial: int) -> None:
        """A marker says that a trial's picture came on."""
        self._markers.append((time_s, trial))

    def volume(self, end_s: float, values: Float64) -> npt.NDArray[np.float64]:
        """Take a volume, ``(regions,)``; return the samples that are due with it, ``(n, 1 + regions)``."""
        self._ends_s.append(end_s)
        self._volumes.append(values)
        rows = []
        for onset_s in [onset for onset in self._onsets_s if self._rule.end_s(onset) <= end_s]:
            self._onsets_s.remove(onset_s)
            trial = self._trial_of(onset_s)
            answer = respond(self._rule, np.array(self._ends_s), np.array(self._volumes), onset_s)
            if trial is None or isinstance(answer, Invalid):
                continue
            rates = answer.rates_hz
            if answer.baseline_hz is not None:
                rates = 100 * (rates / answer.baseline_hz - 1)
            rows.append(np.concatenate([[trial], rates]))
        self._forget(end_s - _LASTS_S)
        if not rows:
            rows.append(np.concatenate([[KEEP_ALIVE_TRIAL], np.zeros(len(values))]))
        return np.array(rows)

    def _trial_of(self, onset_s: float) -> int | None:
        near = [marker for marker in self._markers if abs(marker[0] - onset_s) <= _SAME_ONSET_S]
        if not near:
            return None
        return min(near, key=lambda marker: abs(marker[0] - onset_s))[1]

    def _forget(self, before_s: float) -> None:
        while self._markers and self._markers[0][0] < before_s:
            self._markers.popleft()
        while self._ends_s and self._ends_s[0] < before_s:
            self._ends_s.popleft()
            self._volumes.popleft()


def _in_seconds(span: tuple[float, float], tr_s: float) -> Window:
    return Window(span[0] * tr_s, span[1] * tr_s)
