"""Our own fit of a sender's clock over ``time_correction`` probes.

The model is a line, offset = a + b t, fitted by least squares with two additions: the drift b has a
prior (quartz clocks differ by some 10 ppm, so a few probes can't pretend to know better), and residuals
are weighed by Huber's function (P. J. Huber, Ann. Math. Statist. 35, 73, 1964), so that a probe that got
stuck in the network does not pull the line. Nothing here knows LSL.

Programs of one machine read one clock, and then the offset is nothing, whatever is measured: what is measured is
how lopsided the way there and back was.
"""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass

import numpy as np

from closedloop.ports import Float64

_DRIFT_PRIOR = 1e-4  # standard deviation of the drift's prior, s/s: 100 ppm covers any working quartz
_FINEST_S = 2e-5  # no single probe is believed better than this: a scheduler's wake-up takes as long
_HUBER = 1.345  # 95 % efficiency for normal errors
_ROUNDS = 8
_STEP_PROBES = 3  # as many probes in a row off the line make a step of the sender's clock
_STEP_FACTOR = 5.0
_ROUNDING_S = 1e-6


@dataclass(frozen=True)
class Probe:
    """One measurement: ``offset_s`` is what to add to the sender's stamps at local time ``time_s``.

    ``uncertainty_s`` is the round trip; the true offset lies within half of it on either side.
    """

    time_s: float
    offset_s: float
    uncertainty_s: float


@dataclass(frozen=True)
class Correction:
    """What to add to a raw stamp to have local time, and how sure that is."""

    offset_s: float
    uncertainty_s: float


class ClockFit:
    """A robust line through the newest probes.

    Args:
        max_probes: how many are kept; at one each 2 s, 90 reach back 3 minutes, over which a quartz's
            drift is constant enough.
        same_machine: the sender says that it is on this machine. It is believed for as long as no probe
            contradicts it, that is, while nothing lies within half of each round trip.
    """

    def __init__(self, max_probes: int = 90, *, same_machine: bool = False) -> None:
        self._one_clock = same_machine
        self._probes: deque[Probe] = deque(maxlen=max_probes)
        self._off_line: list[Probe] = []
        self._reference_s = 0.0
        self._line: Float64 = np.zeros(2)
        self._covariance: Float64 = np.zeros((2, 2))

    def __len__(self) -> int:
        """How many probes the line rests on."""
        return len(self._probes)

    @property
    def newest_offset_s(self) -> float:
        """Offset of the newest probe in the line.

        Raises:
            LookupError: there is no probe yet.
        """
        if not self._probes:
            raise LookupError("no clock probe yet")
        return self._probes[-1].offset_s

    @property
    def in_doubt(self) -> bool:
        """Whether the newest probe is off the line: one that got stuck, or a step that is not sure yet."""
        return bool(self._off_line)

    def add(self, probe: Probe) -> bool:
        """Take a probe in.

        Returns:
            True if the sender's clock has stepped: this and the probes before it agree that the former
            line holds no longer, and the fit has begun anew with them.
        """
        if abs(probe.offset_s) > probe.uncertainty_s / 2 + _ROUNDING_S:
            self._one_clock = False
        if self._probes and self._is_off(probe):
            self._off_line.append(probe)
            if len(self._off_line) >= _STEP_PROBES:
                stepped, self._off_line = self._off_line, []
                self._probes.clear()
                self._probes.extend(stepped)
                self._refit()
                return True
            return False  # alone it is an outlier, and the line is better without it
        self._off_line.clear()
        self._probes.append(probe)
        self._refit()
        return False

    def restart(self) -> None:
        """Begin anew after a gap.

        The connection is still the same, so its newest probe is a start, and what was in doubt stays so. A new
        connection, whose clock may be any, takes a new fit.
        """
        if self._probes:
            kept = self._probes[-1]
            self._probes.clear()
            self._probes.append(kept)
            self._refit()

    def at(self, time_s: float) -> Correction:
        """Return the correction at a local time.

        The uncertainty joins the fit's own, which grows with the distance from the probes, and half of the
        shortest round trip, within which a lopsided way there and back can hide from any averaging.

        Raises:
            LookupError: there is no probe yet.
        """
        if not self._probes:
            raise LookupError("no clock probe yet")
        x = np.array([1.0, time_s - self._reference_s])
        fitted_s = float(np.sqrt(x @ self._covariance @ x))
        hidden_s = min(probe.uncertainty_s for probe in self._probes) / 2
        if self._one_clock:
            return Correction(0.0, hidden_s)
        return Correction(float(self._line @ x), float(np.hypot(fitted_s, hidden_s)))

    def _is_off(self, probe: Probe) -> bool:
        expected = self.at(probe.time_s)
        allowed_s = _STEP_FACTOR * (expected.uncertainty_s + max(probe.uncertainty_s / 2, _FINEST_S))
        return abs(probe.offset_s - expected.offset_s) > allowed_s

    def _refit(self) -> None:
        times_s = np.array([probe.time_s for probe in self._probes])
        offsets_s = np.array([probe.offset_s for probe in self._probes])
        sigma_s = np.maximum([probe.uncertainty_s / 2 for probe in self._probes], _FINEST_S)
        self._reference_s = float(times_s[-1])
        # offsets between machines are large numbers with a small spread: fit the spread
        base_s = float(offsets_s[-1])
        design = np.column_stack([np.ones_like(times_s), times_s - self._reference_s])
        prior = np.diag([0.0, _DRIFT_PRIOR**-2])
        weight = sigma_s**-2
        for _ in range(_ROUNDS):
            precision = (design * weight[:, None]).T @ design + prior
            line = np.linalg.solve(precision, design.T @ (weight * (offsets_s - base_s)))
            residual = np.abs(offsets_s - base_s - design @ line) / sigma_s
            weight = np.minimum(1.0, _HUBER / np.maximum(residual, _HUBER)) * sigma_s**-2
        self._line = line + np.array([base_s, 0.0])
        self._covariance = np.linalg.inv(precision)
