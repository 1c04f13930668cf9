"""Whether the trials of an evolution in the scanner are far enough apart for their windows to tell them apart."""

from __future__ import annotations

from closedloop.errors import TimingError
from closedloop.protocol.models import Presentation, Response
from closedloop.protocol.sections.volumes import Volumes
from closedloop.scoring.haemodynamics import BEGINS_S, mean_in

# What the answer to the image before may make up in window and baseline, as a share of the own image's in the window.
LARGEST_SHARE = 0.25


def check_spacing(presentation: Presentation, response: Response, volumes: Volumes) -> list[str]:
    """Check that no trial's window holds another trial's answer, or a volume that another window holds.

    Args:
        presentation: how images follow each other.
        response: the protocol's response section.
        volumes: its part on volumes.

    Returns:
        What the person should know though it is no error, a sentence each.

    Raises:
        TimingError: trials follow each other too fast, and the protocol does not allow it.
    """
    notes = []
    if volumes.speed > 1:
        notes.append(
            f"response.volumes.speed is {volumes.speed:g}: the windows are for a simulated region that is so "
            "many times faster than a brain, not for a scanner."
        )
    window = response.window_in_use
    start_s, end_s = window.start_ms / 1000, window.end_ms / 1000
    apart_s = onset_to_onset_s(presentation)
    # the answer to the next image must not have begun; and a window that begins within a volume shares the
    # volumes at both of its ends
    least_s = max(end_s - BEGINS_S / volumes.speed, end_s - start_s + volumes.tr_s)
    if apart_s < least_s * (1 - 1e-6):
        found = f"an image every {apart_s:g} s, with a window from {start_s:g} to {end_s:g} s after onset"
        if volumes.overlap == "refuse":
            raise TimingError(
                "presentation",
                found=found,
                expected=f"at least {least_s:g} s from onset to onset, so that the window holds one image's answer",
                remedy="Lengthen presentation.off_ms or inter_trial_interval_ms, shorten the window, or set "
                "response.volumes.overlap to allow, if you mean it.",
            )
        notes.append(
            f"{found}: answers to neighbouring images are mixed, as response.volumes.overlap allows."
        )
        return notes
    on_s = presentation.on_ms / 1000
    own = mean_in(start_s, end_s, on_s, volumes.speed)
    course = "with the usual course of the blood's answer, the image before still makes up"
    before = mean_in(start_s + apart_s, end_s + apart_s, on_s, volumes.speed)
    if own <= 0 or before > LARGEST_SHARE * own:
        share = f"{before / own:.0%} of" if own > 0 else "more than"
        notes.append(
            f"response.volumes.window, {start_s:g} to {end_s:g} s after an onset every {apart_s:g} s: "
            f"{course} {share} what the image itself does."
        )
    baseline = response.baseline_in_use
    if baseline is not None and own > 0:  # where there is no answer, there is nothing to compare with
        start_s, end_s = baseline.start_ms / 1000, baseline.end_ms / 1000
        before = mean_in(start_s + apart_s, end_s + apart_s, on_s, volumes.speed)
        if before > LARGEST_SHARE * own:
            notes.append(
                f"response.volumes.baseline, {start_s:g} to {end_s:g} s after an onset every {apart_s:g} s: "
                f"{course} {before / own:.0%} of what the image itself does in the window."
            )
    return notes


def onset_to_onset_s(presentation: Presentation) -> float:
    """Return the shortest time between two onsets, in seconds."""
    apart_ms = presentation.on_ms + presentation.off_ms
    if presentation.images_per_trial == 1:
        apart_ms += presentation.inter_trial_interval_ms
    return apart_ms / 1000
