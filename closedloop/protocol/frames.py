"""Durations as whole frames of the measured display, and whether a protocol's windows fit them."""

from __future__ import annotations

import math
from dataclasses import dataclass

from closedloop.errors import TimingError
from closedloop.protocol.models import Presentation, Protocol, Response
from closedloop.protocol.spacing import check_spacing

# A duration that is off by more than this is another experiment, and refused.
LARGEST_RELATIVE_ERROR = 0.25
# One that is off by more than this is worth telling; below, it is the display's own 59.94 for 60 Hz.
NOTEWORTHY_RELATIVE_ERROR = 0.01
# Earliest responses in high visual areas of the macaque: what comes sooner belongs to the image before.
TYPICAL_LATENCY_MS = 50.0


@dataclass(frozen=True)
class FramePlan:
    """The presentation's durations as they will be, in frames and milliseconds.

    Attributes:
        on_frames: frames an image is on, at least 1.
        off_frames: frames of background after it.
        iti_frames: further frames of background after ``images_per_trial`` images.
        on_ms: ``on_frames`` at the measured period; likewise ``off_ms`` and ``iti_ms``.
        period_s: the measured period that this was planned for.
        notes: a sentence for each duration that differs noticeably from what was asked.
        flicker_frames: frames of each flash and of the background between two; None if the image stays.
    """

    on_frames: int
    off_frames: int
    iti_frames: int
    on_ms: float
    off_ms: float
    iti_ms: float
    period_s: float
    notes: tuple[str, ...] = ()
    flicker_frames: tuple[int, int] | None = None

    @property
    def soa_ms(self) -> float:
        """Time from one image's onset to the next one's within a row."""
        return self.on_ms + self.off_ms


def plan_frames(presentation: Presentation, period_s: float) -> FramePlan:
    """Return the presentation in whole frames.

    Args:
        presentation: of the protocol.
        period_s: measured time of a frame.

    Raises:
        TimingError: the period is no period, or a duration is less than a frame or off by more than a quarter.
    """
    if not (math.isfinite(period_s) and period_s > 0):
        raise TimingError(
            "display",
            found=f"a frame period of {period_s!r} s",
            expected="a measured period above 0",
            remedy="Measure the display with `closedloop check`.",
        )
    notes: list[str] = []
    frames = {
        key: _whole_frames(f"presentation.{key}", getattr(presentation, key), period_s, notes)
        for key in ("on_ms", "off_ms", "inter_trial_interval_ms")
    }
    on, off, iti = frames["on_ms"], frames["off_ms"], frames["inter_trial_interval_ms"]
    period_ms = 1000 * period_s
    flicker = None
    if presentation.flicker is not None:
        there = _whole_frames("presentation.flicker.on_ms", presentation.flicker.on_ms, period_s, notes)
        away = _whole_frames("presentation.flicker.off_ms", presentation.flicker.off_ms, period_s, notes)
        flicker = (there, away)
        rest = on % (there + away)
        if 0 < rest < there:
            notes.append(
                f"presentation.flicker: the last flash of each image has {rest} of {there} frames, as on_ms ends there."
            )
    return FramePlan(
        on, off, iti, on * period_ms, off * period_ms, iti * period_ms, period_s, tuple(notes), flicker
    )


def check_timing(protocol: Protocol, period_s: float) -> list[str]:
    """Check durations and windows against the measured display.

    Returns:
        What the person at the rig should know though it is no error, a sentence each.

    Raises:
        TimingError: something that can't be shown, or a window in which nothing can be measured.
    """
    plan = plan_frames(protocol.presentation, period_s)
    notes = list(plan.notes)
    volumes = protocol.response.volumes
    if volumes is not None:
        notes += check_spacing(protocol.presentation, protocol.response, volumes)
    if protocol.response.kind == "trials":
        return notes  # the sender has measured the responses itself; the windows play no part
    _check_windows(protocol.response)
    window, baseline = protocol.response.window_in_use, protocol.response.baseline_in_use
    if window.start_ms < 0:
        notes.append(
            f"response.window starts {-window.start_ms:g} ms before the image is on, "
            "so it also counts activity that the image did not cause."
        )
    if volumes is not None:
        return notes
    if window.end_ms > plan.soa_ms + TYPICAL_LATENCY_MS:
        notes.append(
            f"response.window ends {window.end_ms:g} ms after onset, but the next image comes on after "
            f"{plan.soa_ms:.1f} ms: with a latency of {TYPICAL_LATENCY_MS:g} ms the window also counts the "
            "response to the next image."
        )
    if baseline is not None and baseline.start_ms + plan.soa_ms < window.end_ms and baseline.start_ms < 0:
        notes.append(
            f"response.baseline starts {-baseline.start_ms:g} ms before onset, within the response window of "
            "the image before: it also counts the response to that image."
        )
    return notes


def _whole_frames(key: str, asked_ms: float, period_s: float, notes: list[str]) -> int:
    if asked_ms == 0:
        return 0
    asked = asked_ms / (1000 * period_s)
    frames = math.floor(asked + 0.5)
    realised_ms = frames * 1000 * period_s
    refresh = f"{1 / period_s:.2f} Hz"
    error = abs(frames - asked) / asked
    if frames == 0 or error > LARGEST_RELATIVE_ERROR:
        least = max(1, frames)
        raise TimingError(
            key,
            found=f"{asked_ms:g} ms, which is {asked:.2f} frames at {refresh}",
            expected=f"a duration near whole frames of {1000 * period_s:.2f} ms",
            remedy=f"For example {least * 1000 * period_s:.1f} or {(least + 1) * 1000 * period_s:.1f} ms.",
        )
    if error > NOTEWORTHY_RELATIVE_ERROR:
        plural = "frame" if frames == 1 else "frames"
        notes.append(
            f"{key}: asked {asked_ms:g} ms, get {realised_ms:.1f} ms ({frames} {plural} at {refresh})."
        )
    return frames


def _check_windows(response: Response) -> None:
    window, baseline = response.window_in_use, response.baseline_in_use
    if window.end_ms <= 0:
        raise TimingError(
            "response.window",
            found=f"a window that ends at {window.end_ms:g} ms",
            expected="an end after the image's onset (0 ms)",
            remedy="50 to 200 ms is usual in inferotemporal cortex, 4 to 6 s in the scanner.",
        )
    if baseline is not None and baseline.start_ms < window.end_ms and window.start_ms < baseline.end_ms:
        raise TimingError(
            "response.baseline",
            found=f"{baseline.start_ms:g} to {baseline.end_ms:g} ms, which overlaps the response window "
            f"({window.start_ms:g} to {window.end_ms:g} ms)",
            expected="windows that do not overlap",
            remedy="A baseline of 0 to 45 ms goes with a window from 50 ms; null leaves it out."
            if response.volumes is None
            else "A baseline of -0.5 to 0.5 volumes goes with a window from 2 on; null leaves it out.",
        )
    if response.volumes is None and response.expected_rate_hz is not None:
        bin_ms = 1000 / response.expected_rate_hz
        for key, part in (("response.window", window), ("response.baseline", baseline)):
            if part is not None and part.end_ms - part.start_ms < bin_ms:
                raise TimingError(
                    key,
                    found=f"{part.end_ms - part.start_ms:g} ms",
                    expected=f"at least one bin of the stream, {bin_ms:g} ms at {response.expected_rate_hz:g} Hz",
                    remedy="Make the window longer, or send finer bins.",
                )
