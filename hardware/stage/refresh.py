"""The display's refresh, from the intervals between flips."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from closedloop.errors import RefreshError
from closedloop.ports import Float64

FLIPS = 120
"""Intervals that a measurement takes at least."""

PACED_FLIPS = 60
"""Intervals of a pace that the stage keeps itself: there it only has to be seen that it can."""

WARM_UP_FLIPS = 10
"""Left out first: drivers queue some frames before a flip blocks."""

DELAYED_FLIPS = 40
"""Intervals with a pause, and as many without in turn, to see whether flips block."""

_FASTEST_HZ = 600.0  # no display has a blank more often
_NEAR = 0.2  # of the median: an interval within is one frame
_MOST_BEHIND = 0.1  # of the time: at a tenth every trial of ten frames has a missed one
_MOST = 0.9  # of the intervals must be near, or there is no one refresh


@dataclass(frozen=True)
class Refresh:
    """A measured refresh.

    Attributes:
        period_s: mean of the intervals that are one frame.
        jitter_s: their standard deviation.
        intervals: how many were measured.
        outliers: how many of them were not one frame.
    """

    period_s: float
    jitter_s: float
    intervals: int
    outliers: int


def flips_block(free_s: Float64, delayed_s: Float64) -> bool:
    """Whether flips wait for a vertical blank.

    Where they do, a pause between two flips is taken from the waiting, and the interval stays what it
    was. Where there is no blank a flip returns once it is drawn, and the pause comes on top.

    Args:
        free_s: (n,) intervals between flips without any pause.
        delayed_s: (n,) those between them, each with a pause of about half of one without: taken in turn, so
            that a machine that is slow for a while is as slow for both.
    """
    free_median_s = float(np.median(free_s))
    return free_median_s > 1 / _FASTEST_HZ and float(np.median(delayed_s)) < 1.25 * free_median_s


def measure(intervals_s: Float64) -> Refresh:
    """Robust period and jitter: single missed frames or late stamps do not count.

    Args:
        intervals_s: (n,) between flips, n at least ``FLIPS``.

    Raises:
        RefreshError: too few intervals, or they are so uneven that there is no one period.
    """
    n = len(intervals_s)
    if n < FLIPS:
        raise _undetermined(f"only {n} frame intervals")
    median_s = float(np.median(intervals_s))
    near = np.abs(intervals_s - median_s) <= _NEAR * median_s
    if near.mean() < _MOST:
        low, high = np.percentile(intervals_s, [5, 95]) * 1e3
        raise _undetermined(
            f"uneven frames: {near.mean():.0%} of {n} intervals are near their median of "
            f"{median_s * 1e3:.2f} ms (5 to 95 %: {low:.2f} to {high:.2f} ms)"
        )
    return _of_frames(intervals_s, near)


def measure_own_pace(intervals_s: Float64) -> Refresh:
    """The pace that the stage kept by the clock: here uneven frames say how busy the machine is, no more.

    Args:
        intervals_s: (n,) between flips that the stage paced itself.
    """
    median_s = float(np.median(intervals_s))
    return _of_frames(intervals_s, np.abs(intervals_s - median_s) <= _NEAR * median_s)


def too_slow(intervals_s: Float64, period_s: float) -> bool:
    """Whether the stage, pacing itself, falls behind its own grid by more than single missed frames.

    Args:
        intervals_s: (n,) between flips that the stage paced itself.
        period_s: of its grid.
    """
    return float(intervals_s.sum()) > (1 + _MOST_BEHIND) * len(intervals_s) * period_s


def require_pace(intervals_s: Float64, period_s: float) -> None:
    """Refuse a display without a vertical blank that is drawn too slowly for the pace that the stage is to keep.

    Args:
        intervals_s: (n,) between flips that the stage paced itself.
        period_s: of its grid.

    Raises:
        RefreshError: it falls behind.
    """
    if not too_slow(intervals_s, period_s):
        return
    raise RefreshError(
        "display.refresh_hz",
        found=f"{len(intervals_s) / intervals_s.sum():.3f} Hz, measured over {len(intervals_s)} frames",
        expected=f"{1 / period_s:g} Hz, with at most {_MOST_BEHIND:.0%} of the time lost to missed frames",
        remedy="This display has no vertical blank, and drawing is too slow for this rate, or other programs keep "
        "the machine too busy: close them, or lower display.refresh_hz.",
    )


def _of_frames(intervals_s: Float64, near: npt.NDArray[np.bool_]) -> Refresh:
    frames = intervals_s[near]
    return Refresh(
        period_s=float(frames.mean()),
        jitter_s=float(frames.std()),
        intervals=len(intervals_s),
        outliers=int(len(intervals_s) - near.sum()),
    )


def require(refresh: Refresh, expected_hz: float, tolerance: float) -> None:
    """Refuse a display's own refresh that is not the one that the protocol expects.

    Args:
        refresh: as measured.
        expected_hz: ``display.refresh_hz`` of the protocol.
        tolerance: allowed relative difference.

    Raises:
        RefreshError: it differs by more than the tolerance.
    """
    measured_hz = 1 / refresh.period_s
    if abs(measured_hz - expected_hz) <= tolerance * expected_hz:
        return
    raise RefreshError(
        "display.refresh_hz",
        found=f"{measured_hz:.3f} Hz, measured over {refresh.intervals} frames",
        expected=f"{expected_hz:g} Hz within {tolerance:.1%}",
        remedy="Set the screen to the rate of the protocol, or correct display.refresh_hz.",
    )


def _undetermined(found: str) -> RefreshError:
    return RefreshError(
        "display refresh",
        found=found,
        expected=f"at least {_MOST:.0%} of {FLIPS} intervals within {_NEAR:.0%} of their median",
        remedy="Close other programs, switch off the desktop's compositor or variable refresh, and try again.",
    )
