"""TR and start of a sequence from its pulses, robustly and as they come.

Two straight lines of time over place (in TRs). The near one is Theil's line (the median of all slopes between
two of the last pulses; Theil 1950, Sen 1968) over the last ``NEAR`` pulses: a stamp that is far off moves it
not at all, and a slow change of the TR is followed. It tells when the next pulse is due. The far one is over
all pulses, by least squares with Huber's weights (Huber 1964) taken from each pulse's distance to the near
line when it came, so that a pulse costs the same however long the run is. It gives TR and start.

Where a sequence is silent after the slices of each volume, the pulses of one volume lie close together and tell
nothing of the TR. There the slopes are those between the same slice of several volumes, over the pulses of the last
three, and until a second volume comes the protocol's TR holds.
"""

from __future__ import annotations

import math
import statistics
from collections import deque
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

NEAR = 12
"""Pulses in the near line."""

SETTLED = 5
"""From so many pulses on, the near line withstands one wrong stamp among them."""

HUBER = 1.345
"""Huber's constant: 95 % of the efficiency of least squares if the jitter is Gaussian."""

THEIL_LOSS = 1.06
"""Theil's slope has this times the standard error of least squares, if the jitter is Gaussian."""

NEAR_VOLUMES = 3
"""Volumes in the near line of a sequence with silent gaps."""

BENT_FROM = 4.0
"""TRs that the pulses of such a sequence must span before they tell whether the TR changes."""

_FEWEST_SLOPES = 3
_PRIOR_SLOPES = 3
_PRIOR_TR_SHARE = 0.001  # standard deviation of a TR that only the protocol tells yet
_SMALLEST_SCALE_S = 2e-4


@dataclass(frozen=True)
class TrFit:
    """TR and start, as fitted.

    Attributes:
        start_s: of the first stored volume.
        tr_s: the repetition time.
        start_se_s, tr_se_s: their standard errors.
        scale_s: standard deviation of the residuals, estimated robustly.
        n: pulses in it.
    """

    start_s: float
    tr_s: float
    start_se_s: float
    tr_se_s: float
    scale_s: float
    n: int


@dataclass(frozen=True)
class Bend:
    """By how much the TR changed from the first pulse to the last, if it changed evenly."""

    change_s: float
    change_se_s: float


class RunningFit:
    """The two lines, a pulse at a time.

    Args:
        tr_s: nominal TR.
        jitter_s: that the pulses may have; what the scale is taken for before they tell.
        clustered: pulses in each volume of a sequence that is silent after them; 0 for one that is not.
    """

    def __init__(self, tr_s: float, jitter_s: float, clustered: int = 0) -> None:
        self._nominal_s = tr_s
        self._jitter_s = jitter_s
        self._zero_s = 0.0
        self._clustered = clustered > 0
        self._kept = max(NEAR, NEAR_VOLUMES * clustered)
        self._near: deque[tuple[float, float]] = deque(maxlen=self._kept)
        self._sums = [0.0] * 8  # of weights times 1, x, x², x³, x⁴, y, xy, x²y
        self._slope = 0.0
        self._level = 0.0
        self._sloped = True  # or the protocol's TR is all that is known of it
        self._first_x = self._last_x = 0.0
        self.n = 0
        self.scale_s = max(jitter_s, _SMALLEST_SCALE_S)

    def predict(self, x: float) -> float:
        """Return when the pulse at a place (in TRs) was or is due, by the near line."""
        return self._zero_s + self._nominal_s * x + self._level + self._slope * x

    def place(self, time_s: float) -> float:
        """Return the place (in TRs) of a time, by the near line."""
        return (time_s - self._zero_s - self._level) / (self._nominal_s + self._slope)

    def spread_s(self, x: float) -> float:
        """Return the standard deviation of a pulse about its prediction at a place: its jitter and the line's."""
        spread_s = self.scale_s * self._spread_factor(x)
        if self.n and not self._sloped:
            spread_s = math.hypot(spread_s, _PRIOR_TR_SHARE * self._nominal_s * (x - self._middle))
        return spread_s

    @property
    def farthest_s(self) -> float:
        """By how much the farthest of the last pulses is off the near line."""
        return max(abs(y - self._level - self._slope * x) for x, y in self._near)

    def held_s(self, x: float) -> float:
        """Return by how much the nominal TR, believed at first, holds the prediction at a place off the pulses'."""
        slopes = self._slopes()
        if not slopes:
            return 0.0
        slope = statistics.median(slopes)
        level = statistics.median(one_y - slope * one_x for one_x, one_y in self._near)
        return abs(level + slope * x - self._level - self._slope * x)

    def add(self, x: float, time_s: float) -> None:
        """Take a pulse in: its place (in TRs) and its stamp."""
        if self.n == 0:
            # kept small, so that no digit of a clock that stands at days is lost
            self._zero_s = time_s - self._nominal_s * x
            self._first_x = x
        y = time_s - self._zero_s - self._nominal_s * x
        error_s = y - self._level - self._slope * x
        if self.n >= SETTLED:
            jitter_s = abs(error_s) / self._spread_factor(x)
            seen = 1.2533 * min(jitter_s, 4 * self.scale_s)  # mean |error| of a Gaussian is sd / 1.2533
            self.scale_s = max(_SMALLEST_SCALE_S, self.scale_s + (seen - self.scale_s) / 16)
        if self.n >= self._kept:
            self._add_far(x, y, error_s)
        self._near.append((x, y))
        self.n += 1
        self._last_x = max(self._last_x, x)
        self._draw_near()
        if self.n == self._kept:
            for one_x, one_y in self._near:
                self._add_far(one_x, one_y, one_y - self._level - self._slope * one_x)

    def fit(self, at: float) -> TrFit | None:
        """Return TR and start by the far line; None before there are three pulses, or a second volume to tell a TR by.

        Args:
            at: place (in TRs) of the first stored volume.
        """
        if self.n < 3:
            return None
        sd = self.scale_s
        if self.n < self._kept:
            slopes = self._slopes()
            if not slopes:
                return None
            slope = statistics.median(slopes)
            level = statistics.median(y - slope * x for x, y in self._near)
            # a few stamps that lie on no line are no ground to believe one
            off_s = statistics.fmean(abs(y - level - slope * x) for x, y in self._near)
            sd = max(sd, 1.2533 * off_s * math.sqrt(self.n / (self.n - 2)))
            xs = [x for x, _ in self._near]
            middle, spread = statistics.fmean(xs), _spread(xs)
            slope_se, middle_se = THEIL_LOSS * sd / math.sqrt(spread), sd * math.sqrt(math.pi / 2 / self.n)
        else:
            w, wx, wxx, _, _, wy, wxy, _ = self._sums
            middle, spread = wx / w, wxx - wx * wx / w
            slope_se, middle_se = sd / math.sqrt(spread), sd / math.sqrt(w)
            slope = (wxy - wx * wy / w) / spread
            level = wy / w - slope * middle
        return TrFit(
            start_s=self._zero_s + self._nominal_s * at + level + slope * at,
            tr_s=self._nominal_s + slope,
            start_se_s=math.hypot(middle_se, (at - middle) * slope_se),
            tr_se_s=slope_se,
            scale_s=sd,
            n=self.n,
        )

    def bend(self) -> Bend | None:
        """Return how the TR changed, from a parabola over all pulses; None before they can tell."""
        span = self._last_x - self._first_x
        if self.n < self._kept or (self._clustered and span < BENT_FROM):
            return None
        w, wx, wxx, wxxx, wxxxx, wy, wxy, wxxy = self._sums
        m = wx / w
        m2 = wxx - w * m * m
        m3 = wxxx - 3 * m * wxx + 2 * w * m**3
        m4 = wxxxx - 4 * m * wxxx + 6 * m * m * wxx - 3 * w * m**4
        left = m4 - m2 * m2 / w - m3 * m3 / m2
        xy = wxy - m * wy
        xxy = wxxy - 2 * m * wxy + m * m * wy - m2 / w * wy
        curve = (xxy - m3 / m2 * xy) / left
        sd = max(self.scale_s, self._jitter_s)
        return Bend(change_s=2 * curve * span, change_se_s=2 * span * sd / math.sqrt(left))

    def _add_far(self, x: float, y: float, error_s: float) -> None:
        limit_s = HUBER * self.scale_s
        weight = 1.0 if abs(error_s) <= limit_s else limit_s / abs(error_s)
        for power in range(5):
            self._sums[power] += weight * x**power
        for power in range(3):
            self._sums[5 + power] += weight * y * x**power

    def _spread_factor(self, x: float) -> float:
        xs = [one for one, _ in self._near]
        if len(xs) < 2:
            return 1.0
        if not self._sloped:
            return math.sqrt(1 + 1 / len(xs))
        return math.sqrt(1 + 1 / len(xs) + (x - self._middle) ** 2 / _spread(xs))

    @property
    def _middle(self) -> float:
        return statistics.fmean(x for x, _ in self._near)

    def _slopes(self) -> list[float]:
        if self._clustered:
            by_place = {round(x, 6): y for x, y in self._near}
            return [
                (later - y) / volumes
                for x, y in by_place.items()
                for volumes in range(1, NEAR_VOLUMES)
                if (later := by_place.get(round(x + volumes, 6))) is not None
            ]
        points = list(self._near)
        return [
            (y2 - y1) / (x2 - x1)
            for number, (x1, y1) in enumerate(points)
            for x2, y2 in points[number + 1 :]
            if x2 != x1
        ]

    def _draw_near(self) -> None:
        slopes = self._slopes()
        # one volume's slices tell no TR, and a single pair of two volumes' tells the lateness of either
        self._sloped = len(slopes) >= _FEWEST_SLOPES or not self._clustered
        if self.n < SETTLED or not self._sloped:
            slopes += [0.0] * _PRIOR_SLOPES  # the protocol's TR is believed before the pulses tell another
        self._slope = statistics.median(slopes)
        self._level = statistics.median(y - self._slope * x for x, y in self._near)


def fit_all(
    xs: npt.NDArray[np.float64], times_s: npt.NDArray[np.float64], at: float, tr_s: float
) -> tuple[TrFit, npt.NDArray[np.float64]]:
    """Fit one line to all pulses of a run that is over, by Huber's estimate, weighted until nothing moves.

    Iteratively reweighted least squares (Holland & Welsch 1977), the scale from the median absolute residual.

    Args:
        xs: places in TRs, shape ``(n,)``, n at least 3.
        times_s: stamps, shape ``(n,)``.
        at: place of the first stored volume.
        tr_s: nominal TR.

    Returns:
        The fit, and the residual of each pulse in s, shape ``(n,)``.
    """
    zero_s = float(times_s[0])
    y = times_s - zero_s - tr_s * (xs - xs[0])
    design = np.column_stack([np.ones_like(xs), xs - at])
    weights = np.ones_like(xs)
    line = np.array([float(np.median(y)), 0.0])
    scale = _SMALLEST_SCALE_S
    for _ in range(50):
        root = np.sqrt(weights)
        new = np.linalg.lstsq(design * root[:, None], y * root, rcond=None)[0]
        rest = y - design @ new
        scale = max(_SMALLEST_SCALE_S, 1.4826 * float(np.median(np.abs(rest - np.median(rest)))))
        weights = np.minimum(1.0, HUBER * scale / np.maximum(np.abs(rest), 1e-12))
        moved = float(np.max(np.abs(new - line)))
        line = new
        if moved < 1e-9:
            break
    rest = y - design @ line
    inverse = np.linalg.inv(design.T @ (design * weights[:, None]))
    fit = TrFit(
        start_s=zero_s + float(line[0]) + tr_s * (at - float(xs[0])),
        tr_s=tr_s + float(line[1]),
        start_se_s=scale * math.sqrt(inverse[0, 0]),
        tr_se_s=scale * math.sqrt(inverse[1, 1]),
        scale_s=scale,
        n=len(xs),
    )
    return fit, rest


def _spread(values: list[float]) -> float:
    middle = statistics.fmean(values)
    return sum((value - middle) ** 2 for value in values)
