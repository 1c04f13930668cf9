"""How the simulated neurons fire in time: Poisson spikes around a rate that follows what was seen."""

from __future__ import annotations

import math
from bisect import insort
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

_STEP_S = 0.001  # the rate is taken as constant for this long
_STRETCH_S = 0.1  # and the gain for this long at most
_HOUR_S = 3600.0

Float = npt.NDArray[np.float64]
Int = npt.NDArray[np.int32]


@dataclass(frozen=True)
class FiringOptions:
    """What the firing is like.

    Attributes:
        baseline_hz: rate of each unit while nothing is seen.
        latency_s: from a change on the screen to the neurons' answer.
        rise_s: time constant with which a rate rises to a picture's.
        decay_s: time constant with which it falls back.
        drift_per_hour: what responses are multiplied by in an hour; in 170 real sessions the median was 0.92
            in a session.
        wander: standard deviation of the slow common fluctuation of the gain (log).
        wander_s: its time constant.
        noise: standard deviation of each unit's gain from picture to picture (log).
    """

    baseline_hz: float = 5.0
    latency_s: float = 0.060
    rise_s: float = 0.003
    decay_s: float = 0.015
    drift_per_hour: float = 0.92
    wander: float = 0.05
    wander_s: float = 30.0
    noise: float = 0.1


@dataclass(frozen=True, order=True)
class _Change:
    time_s: float
    order: int
    target_hz: tuple[float, ...]


class Firing:
    """The spikes of all units, drawn on as time goes by.

    Args:
        units: how many.
        options: see there.
        random: where every draw comes from.
        start_s: LSL time at which it begins.
    """

    def __init__(
        self, units: int, options: FiringOptions, random: np.random.Generator, start_s: float
    ) -> None:
        self._units, self._options, self._random = units, options, random
        self._start_s = self._now_s = start_s
        self._base = np.full(units, options.baseline_hz)
        self._rate, self._target = self._base.copy(), self._base.copy()
        self._changes: list[_Change] = []
        self._count = 0
        self._wander = 0.0
        self._dead_until_s = np.full(units, -math.inf)

    @property
    def now_s(self) -> float:
        """Up to here the spikes are drawn."""
        return self._now_s

    def picture_on(self, onset_s: float, rates_hz: Float) -> None:
        """A picture came on that evokes these rates ``(units,)``; they hold from a latency later on."""
        gain = np.exp(self._random.normal(0.0, self._options.noise, self._units))
        self._add(onset_s, rates_hz * gain)

    def picture_off(self, offset_s: float) -> None:
        """The screen went blank; a latency later the rates fall back to the baseline."""
        self._add(offset_s, self._base)

    def silence(self, unit: int, until_s: float) -> None:
        """Let a unit be dead until a time."""
        self._dead_until_s[unit] = until_s

    def advance(self, until_s: float) -> tuple[Float, Int]:
        """Draw on to a time and return the new spikes: times ``(n,)`` in order, and units ``(n,)``."""
        times: list[Float] = []
        units: list[Int] = []
        while self._now_s < until_s:
            end_s = min(until_s, self._now_s + _STRETCH_S)
            if self._changes and self._changes[0].time_s <= self._now_s:
                self._target = np.array(self._changes.pop(0).target_hz)
                continue
            if self._changes:
                end_s = min(end_s, self._changes[0].time_s)
            when, who = self._stretch(end_s)
            times.append(when)
            units.append(who)
        if not times:
            return np.empty(0), np.empty(0, np.int32)
        return np.concatenate(times), np.concatenate(units)

    def _add(self, seen_s: float, target_hz: Float) -> None:
        self._count += 1
        insort(
            self._changes, _Change(seen_s + self._options.latency_s, self._count, tuple(target_hz.tolist()))
        )

    def _stretch(self, end_s: float) -> tuple[Float, Int]:
        """Draw up to ``end_s``; no change falls between now and then."""
        length_s = end_s - self._now_s
        bins = max(1, math.ceil(length_s / _STEP_S))
        width_s = length_s / bins
        tau_s = np.where(self._target > self._rate, self._options.rise_s, self._options.decay_s)
        ages_s = (np.arange(bins)[:, None] + 0.5) * width_s
        rates = self._target + (self._rate - self._target) * np.exp(-ages_s / tau_s)
        self._rate = self._target + (self._rate - self._target) * np.exp(-length_s / tau_s)
        alive = self._dead_until_s <= self._now_s
        counts = self._random.poisson(rates * (self._gain(length_s) * width_s) * alive)
        bin_of, unit_of = np.nonzero(counts)
        repeats = counts[bin_of, unit_of]
        bin_of, unit_of = np.repeat(bin_of, repeats), np.repeat(unit_of, repeats)
        times = self._now_s + (bin_of + self._random.random(len(bin_of))) * width_s
        order = np.argsort(times)
        self._now_s = end_s
        return times[order], unit_of[order].astype(np.int32)

    def _gain(self, length_s: float) -> float:
        # an Ornstein-Uhlenbeck process, exact for any step
        keep = math.exp(-length_s / self._options.wander_s)
        spread = self._options.wander * math.sqrt(1 - keep**2)
        self._wander = self._wander * keep + spread * float(self._random.normal())
        hours = (self._now_s - self._start_s) / _HOUR_S
        return float(math.exp(self._wander) * self._options.drift_per_hour**hours)
