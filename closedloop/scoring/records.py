"""What scoring takes and gives: windows, the rule of a response, the response or why there is none."""

from __future__ import annotations

import math
from dataclasses import dataclass
from enum import Enum

import numpy as np
from numpy.typing import NDArray

from closedloop.errors import ProtocolError, TimingError

EDGE_S = 1e-6
"""Times nearer than this are the same time: below any bin, above the rounding of clock readings."""


class Kind(str, Enum):
    """What the samples of a response stream mean; docs/lsl.md has the whole contract."""

    RATES = "rates"
    COUNTS = "counts"
    SPIKES = "spikes"
    TRIALS = "trials"

    @property
    def binned(self) -> bool:
        """Whether a sample stands for the bin of time that ends at its stamp."""
        return self in (Kind.RATES, Kind.COUNTS)


class Reason(str, Enum):
    """Why a trial has no response. The words are part of the session file."""

    NOT_COVERED = "not-covered"
    DOUBLED = "doubled"
    NOT_FINITE = "not-finite"
    ARTEFACT = "artefact"
    UNKNOWN_UNIT = "unknown-unit"


@dataclass(frozen=True)
class Window:
    """Time relative to onset, from ``start_s`` up to but not including ``end_s``."""

    start_s: float
    end_s: float

    def __post_init__(self) -> None:
        if not (math.isfinite(self.start_s) and math.isfinite(self.end_s) and self.end_s > self.start_s):
            raise TimingError(
                "response or baseline window",
                found=f"{self.start_s * 1000:g} to {self.end_s * 1000:g} ms after onset",
                expected="an end after the start",
                remedy="Correct the window.",
            )

    @property
    def length_s(self) -> float:
        """Length in seconds."""
        return self.end_s - self.start_s


@dataclass(frozen=True, eq=False)
class Response:
    """The subject's answer to one trial.

    Attributes:
        rates_hz: float64 (units of the stream,), spikes/s in the response window. Units that the rule does
            not use are not checked and may be NaN.
        baseline_hz: the same in the baseline window; None if the rule has none.
    """

    rates_hz: NDArray[np.float64]
    baseline_hz: NDArray[np.float64] | None = None


@dataclass(frozen=True)
class Invalid:
    """The trial has no response that could be believed, and why."""

    reason: Reason
    detail: str

    @classmethod
    def not_covered(cls, name: str, what: str, begin_s: float, end_s: float, onset_s: float) -> Invalid:
        """Say which part of a window no sample covers; times are absolute."""
        begin, end = (begin_s - onset_s) * 1000, (end_s - onset_s) * 1000
        return cls(Reason.NOT_COVERED, f"{name}: {what}, {begin:.1f} to {end:.1f} ms after onset")


@dataclass(frozen=True)
class ResponseRule:
    """How the response of a trial is measured.

    Attributes:
        kind: what the samples mean.
        window: response window.
        unit_count: units of the stream. Kind spikes: numbers at or above it are left out, or make the trial
            invalid if ``all_units_known``.
        units: the units that count, each below ``unit_count``; the others are neither needed nor checked.
        baseline: baseline window, or None.
        bin_s: rates and counts: nominal bin width, 1 / nominal rate.
        max_silence_s: spikes: the longest time without a sample that still means "no spike".
        max_rate_hz: rates above this, of a unit that counts, are an artefact; None for no limit.
        all_units_known: spikes: ``unit_count`` is the protocol's word and not just the units that count.
        tolerance_bins: rates and counts: how far the step between two stamps may be off, as a share of a
            bin. A larger hole is a loss, a larger overlap a doubled sample.
        tolerance_s: the same in seconds; the larger of the two counts. Senders that stamp a chunk as they
            push it are off by a scheduler's delay from chunk to chunk, some ms, however short the bins.
        stamped_early_s: rates and counts: how long before the end of its bin a sample is stamped.
        in_percent: the response will be taken in percent of the baseline, so that has to be above 0.

    Raises:
        ProtocolError: these do not fit each other.
    """

    kind: Kind
    window: Window
    unit_count: int
    units: tuple[int, ...]
    baseline: Window | None = None
    bin_s: float | None = None
    max_silence_s: float | None = None
    max_rate_hz: float | None = None
    all_units_known: bool = False
    tolerance_bins: float = 0.5
    tolerance_s: float = 0.003
    stamped_early_s: float = 0.0
    in_percent: bool = False

    def __post_init__(self) -> None:
        object.__setattr__(self, "kind", Kind(self.kind))
        if self.kind.binned:
            self._require(
                self.bin_s is not None and self.bin_s > 2 * EDGE_S, "bin width", self.bin_s, "above 0"
            )
        if self.kind is Kind.SPIKES:
            given = self.max_silence_s is not None and self.max_silence_s > 0
            self._require(given, "longest silence", self.max_silence_s, "above 0")
        inside = bool(self.units) and all(0 <= unit < self.unit_count for unit in self.units)
        self._require(inside, "units", self.units, f"at least one, each from 0 to {self.unit_count - 1}")
        self._require(
            0 < self.tolerance_bins < 1, "tolerance", self.tolerance_bins, "a share of a bin, 0 to 1"
        )
        self._require(0 <= self.tolerance_s < math.inf, "tolerance in seconds", self.tolerance_s, "0 or more")

    @property
    def slack_s(self) -> float:
        """How far the step between two stamps of a binned kind may be off."""
        return max(self.tolerance_bins * (self.bin_s or 0.0), self.tolerance_s)

    @property
    def lookback_s(self) -> float:
        """How long before an onset samples are needed; 0 if none are."""
        return max(0.0, -self.start_s(0.0))

    def last_stamp_s(self, onset_s: float) -> float:
        """Return the stamp at or after which a sample shows that every bin of a trial's windows is there."""
        return self.end_s(onset_s) - self.stamped_early_s

    def end_s(self, onset_s: float) -> float:
        """Return the time after which every sample of a trial can be there."""
        ends = [self.window.end_s] if self.baseline is None else [self.window.end_s, self.baseline.end_s]
        return onset_s + max(ends)

    def start_s(self, onset_s: float) -> float:
        """Return the stamp from which on samples are needed, neighbours of the windows included."""
        starts = (
            [self.window.start_s] if self.baseline is None else [self.window.start_s, self.baseline.start_s]
        )
        before_s = 2 * (self.bin_s or 0.0) + (self.max_silence_s or 0.0) + self.stamped_early_s
        return onset_s + min(starts) - before_s

    def _require(self, holds: bool, what: str, found: object, expected: str) -> None:
        if not holds:
            raise ProtocolError(
                f"response of kind {self.kind.value}, {what}",
                found=str(found),
                expected=expected,
                remedy="Correct the protocol's response section.",
            )
