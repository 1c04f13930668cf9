"""The signal of a region in a scanner: what its neurons drive, through the blood's slow answer, with noise."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from closedloop.ports import Float64
from closedloop.scoring.haemodynamics import answer_to_image
from closedloop.seeds import Purpose, random_for

USUAL_DRIVE_HZ = 75.0
"""What a typical unit fires above its baseline at a picture that it likes; see ``hardware.subject.neurons``."""
USUAL_ON_S = 1.0
_LASTS_S = 40.0  # an answer is over by then, undershoot and all
_DRIFT_S = 600.0


@dataclass(frozen=True)
class SignalOptions:
    """What the signal is like.

    Attributes:
        tr_s: time from one volume to the next.
        speed: how many times faster than a brain's the blood's answer and the noise are; 1 is a brain.
        level: mean signal, in the scanner's arbitrary units.
        amplitude_percent: peak of the answer to a picture of 1 s that drives the neurons as usual (75 spikes/s).
        noise_percent: standard deviation of a volume's noise.
        noise_correlation: of the noise of two volumes 2 s apart (an AR(1) process).
        drift_percent: standard deviation of what the signal has drifted after ten minutes (a random walk).
        seed: of noise and drift.
    """

    tr_s: float = 2.0
    speed: float = 1.0
    level: float = 1000.0
    amplitude_percent: float = 2.0
    noise_percent: float = 0.5
    noise_correlation: float = 0.4
    drift_percent: float = 0.5
    seed: int = 0

    def __post_init__(self) -> None:
        for name in ("tr_s", "speed", "level"):
            if not getattr(self, name) > 0:
                raise ValueError(f"{name}: must be above 0")
        for name in ("noise_percent", "drift_percent"):
            if not getattr(self, name) >= 0:
                raise ValueError(f"{name}: must be 0 or more")
        if not 0 <= self.noise_correlation < 1:
            raise ValueError("noise_correlation: must be from 0 to below 1")


@dataclass
class _Seen:
    onset_s: float
    offset_s: float
    drive_hz: Float64


class RegionSignal:
    """Volumes of some regions, one after another. Volume n is taken from ``start_s + n tr_s`` on, for a TR.

    Args:
        regions: how many.
        options: see there.
        start_s: LSL time at which the first volume begins.

    Attributes:
        volumes: how many have been drawn.
    """

    def __init__(self, regions: int, options: SignalOptions, start_s: float) -> None:
        self._options, self._start_s = options, start_s
        self._random = random_for(options.seed, Purpose.SIMULATION)
        self._seen: list[_Seen] = []
        self.volumes = 0
        self._noise = self._random.standard_normal(regions)
        self._drift = np.zeros(regions)
        peak = answer_to_image(np.linspace(0, 20, 2001), USUAL_ON_S).max()
        self._percent_per_hz = options.amplitude_percent / USUAL_DRIVE_HZ / float(peak)

    def picture_on(self, onset_s: float, drive_hz: npt.ArrayLike, offset_s: float = math.inf) -> None:
        """A picture came on that drives the regions by so many spikes/s above their rest, ``(regions,)``."""
        drive = np.asarray(drive_hz, dtype=np.float64)
        self._seen.append(_Seen(onset_s, offset_s, drive))

    def picture_off(self, onset_s: float, offset_s: float) -> None:
        """The picture that came on at ``onset_s`` has gone."""
        for seen in self._seen:
            if seen.onset_s == onset_s:
                seen.offset_s = offset_s

    def ends_s(self, volume: int) -> float:
        """Return when a volume is over."""
        return self._start_s + (volume + 1) * self._options.tr_s

    def evoked_percent(self, time_s: float) -> Float64:
        """Return what the pictures so far evoke at a time, in percent of the level, ``(regions,)``."""
        total = np.zeros_like(self._drift)
        for seen in self._seen:
            on_s = min(seen.offset_s, time_s) - seen.onset_s
            if on_s > 0:
                share = float(answer_to_image(time_s - seen.onset_s, on_s, self._options.speed))
                total = total + self._percent_per_hz * share * seen.drive_hz
        return total

    def next_volume(self) -> Float64:
        """Draw the next volume; every picture that came on before its end must be known. Shape ``(regions,)``."""
        options = self._options
        middle_s = self.ends_s(self.volumes) - options.tr_s / 2
        self.volumes += 1
        # in the brain's own time, which a compressed simulation runs through faster
        step_s = options.tr_s * options.speed
        keep = options.noise_correlation ** (step_s / 2.0)
        fresh, walk = self._random.standard_normal((2, len(self._noise)))
        self._noise = keep * self._noise + math.sqrt(1 - keep**2) * fresh
        self._drift = self._drift + math.sqrt(step_s / _DRIFT_S) * walk
        percent = (
            self.evoked_percent(middle_s)
            + options.noise_percent * self._noise
            + options.drift_percent * self._drift
        )
        gone_s = middle_s - _LASTS_S / options.speed
        self._seen = [seen for seen in self._seen if seen.offset_s > gone_s]
        volume: Float64 = options.level * (1 + percent / 100)
        return volume
