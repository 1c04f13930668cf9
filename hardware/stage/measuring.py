"""Measures the open window: is there a vertical blank, how long a frame, a drawing and an upload take."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from closedloop.errors import RefreshError
from closedloop.ports import Float64, Pixels
from closedloop.protocol.models import Display
from hardware.clock import LslClock
from hardware.stage import refresh
from hardware.stage.pacing import ClockPacer, Pacer, VblankPacer
from hardware.stage.window import StageWindow

_UPLOADS = 20
_LOOKS = 5  # for a vertical blank, while what is seen makes no sense
_TRIES = 15  # of 1 s at 60 Hz: a virtual machine may be slow for so long when its host is busy


@dataclass(frozen=True)
class Measured:
    """What was found out about the display.

    Attributes:
        pacer: for the frame loop.
        period_s: seconds per frame that trials are counted in.
        refresh: as measured.
        paced_by: ``"vblank"`` or ``"clock"``.
        free_flip_ms: median time of a flip without any waiting of our own.
        draw_s: drawing a frame, slowest of the measurement but for the slowest 5 %.
        upload_s: uploading an image, likewise.
    """

    pacer: Pacer
    period_s: float
    refresh: refresh.Refresh
    paced_by: str
    free_flip_ms: float
    draw_s: float
    upload_s: float


def measure(window: StageWindow, display: Display, clock: LslClock, image: Pixels, spin_s: float) -> Measured:
    """Measure (blocks some seconds, showing the background).

    Args:
        window: open.
        display: what the protocol expects.
        clock: of the session.
        image: any, for timing the upload into slot 0.
        spin_s: for ``ClockPacer``.

    Raises:
        RefreshError: the refresh can't be determined, or isn't the expected one.
    """
    upload_s = [_timed_upload(window, clock, image) for _ in range(_UPLOADS)]
    intervals_s, draws_s, own = _look_for_blank(window, clock)
    free_flip_ms = float(np.median(intervals_s)) * 1e3
    pacer: Pacer
    if own is not None:
        paced_by, measured = "vblank", own
        refresh.require(measured, display.refresh_hz, display.refresh_tolerance)
        period_s = measured.period_s
        pacer = VblankPacer(period_s)
    else:
        paced_by = "clock"
        period_s = 1 / display.refresh_hz
        window.wait_for_blank = False
        pacer = ClockPacer(clock, period_s, spin_s)
        for _ in range(_TRIES):  # at a session's start other programs may be starting as well
            intervals_s, draws_s = _intervals(window, clock, pacer, refresh.PACED_FLIPS)
            if not refresh.too_slow(intervals_s, period_s):
                break
        refresh.require_pace(intervals_s, period_s)
        measured = refresh.measure_own_pace(intervals_s)
    return Measured(
        pacer=pacer,
        period_s=period_s,
        refresh=measured,
        paced_by=paced_by,
        free_flip_ms=free_flip_ms,
        draw_s=float(np.percentile(draws_s, 95)),
        upload_s=float(np.percentile(upload_s[1:], 95)),
    )


def _look_for_blank(window: StageWindow, clock: LslClock) -> tuple[Float64, Float64, refresh.Refresh | None]:
    """Return the intervals between flips, the times of drawing, and the display's refresh; None without a blank."""
    for attempt in range(_LOOKS):
        intervals_s, draws_s = _intervals(window, clock, None)
        pause_s = float(np.median(intervals_s)) / 2
        in_turn_s, _ = _intervals(window, clock, None, 2 * refresh.DELAYED_FLIPS, pause_s, every=2)
        # the interval that a pause falls into ends with the flip after it
        if not refresh.flips_block(in_turn_s[1::2], in_turn_s[::2]):
            return intervals_s, draws_s, None
        try:
            return intervals_s, draws_s, refresh.measure(intervals_s)
        except RefreshError:  # uneven: a busy moment, or a display that can't be trusted
            if attempt == _LOOKS - 1:
                raise
    raise AssertionError("unreachable: the last look returns or raises")


def _timed_upload(window: StageWindow, clock: LslClock, image: Pixels) -> float:
    before_s = clock.now()
    window.upload(0, image)
    return clock.now() - before_s


def _intervals(
    window: StageWindow,
    clock: LslClock,
    pacer: Pacer | None,
    flips: int = refresh.FLIPS,
    pause_s: float = 0.0,
    every: int = 1,
) -> tuple[Float64, Float64]:
    """Flip, and return ``(flips,)`` intervals and the times of drawing; with a pause in the first and so on."""
    flips_s: list[float] = []
    draws_s: list[float] = []
    for number in range(refresh.WARM_UP_FLIPS + flips + 1):
        before_s = clock.now()
        window.draw(None)
        draws_s.append(clock.now() - before_s)
        # so that the first interval that is kept has one
        if (number - refresh.WARM_UP_FLIPS - 1) % every == 0:
            clock.sleep(pause_s)
        if pacer is not None:
            pacer.wait()
        flips_s.append(window.flip())
        if pacer is not None:
            pacer.flipped(flips_s[-1])
    return np.diff(flips_s[refresh.WARM_UP_FLIPS :]), np.array(draws_s[refresh.WARM_UP_FLIPS :])
