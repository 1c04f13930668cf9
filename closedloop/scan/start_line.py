"""Where the pulses around the first stored volume's have it: a check on that one stamp, from which a run counts.

A reader that had to wait stamps late, and a person's press just before the pulse takes its place; of one pulse
neither can be known when it comes. Once the run is over, the others tell.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd

from closedloop.protocol.sections.scan import Scanner
from closedloop.scan.fit import NEAR, SETTLED, fit_all
from closedloop.scan.sequence import SURE

_AROUND = 2 * NEAR  # pulses; a TR that changes later on must not bear on the start


@dataclass(frozen=True)
class StartByOthers:
    """The first stored volume by the pulses around its own.

    Attributes:
        start_s: when it began.
        bound_s: a stamp may be off that by so much: jitter, and what the line itself is uncertain by.
    """

    start_s: float
    bound_s: float

    def holds(self, time_s: float) -> bool:
        """Whether a time may be this start's stamp."""
        return abs(time_s - self.start_s) <= self.bound_s


def start_by_others(
    pulses: pd.DataFrame, volume: int, scanner: Scanner, believed_s: float, jumps_s: Sequence[float]
) -> StartByOthers | None:
    """Return where a volume began by the pulses of others; None if there are too few.

    Args:
        pulses: of the run, with ``verdict``, ``volume``, ``time_s`` and ``uncertainty_s``.
        volume: the first stored one, dummies counted.
        scanner: section of the protocol.
        believed_s: when it is taken to have begun.
        jumps_s: when the sequence was found to have been held up or started again.
    """
    begun = pulses[(pulses["verdict"] == "volume") & pulses["volume"].notna()]
    numbers, times_s = begun["volume"].to_numpy(dtype=float), begun["time_s"].to_numpy(dtype=float)
    same = np.searchsorted(jumps_s, times_s, "right") == np.searchsorted(jumps_s, believed_s, "right")
    places = np.flatnonzero(same & (numbers != volume))
    places = places[np.argsort(np.abs(numbers[places] - volume), kind="stable")][:_AROUND]
    if len(places) < SETTLED:
        return None
    places = np.sort(places)
    fit, _ = fit_all(numbers[places], times_s[places], float(volume), scanner.tr_s)
    jitter_s = scanner.jitter_ms / 1000
    # so few do not tell their own jitter
    sd_s = fit.scale_s if fit.n >= NEAR else max(fit.scale_s, jitter_s)
    spread_s = sd_s * math.hypot(1.0, fit.start_se_s / fit.scale_s)
    uncertainty_s = float(begun["uncertainty_s"].max())
    bound_s = max(3 * jitter_s, SURE * spread_s) + (uncertainty_s if math.isfinite(uncertainty_s) else 0.0)
    return StartByOthers(fit.start_s, bound_s)
