"""Whether a trial of a scan run was shown as it was planned."""

from __future__ import annotations

from dataclasses import dataclass

from closedloop.ports import Shown

FARTHEST_FRAMES = 1.0
"""From the planned time: half a frame to the nearest flip, and half a frame beyond that."""


@dataclass(frozen=True)
class Fault:
    """Why a trial does not count: one word, and in words."""

    reason: str
    detail: str


def judge(shown: Shown, due_s: float, period_s: float) -> Fault | None:
    """Return what was wrong with a trial, or None.

    Args:
        shown: what happened on the screen.
        due_s: when it was due, before it was put on a whole frame.
        period_s: seconds per frame.
    """
    if not shown.complete:
        return Fault("cut-off", "the trial was cut off")
    off_frames = (shown.onset_s - due_s) / period_s
    if abs(off_frames) > FARTHEST_FRAMES:
        late = "late" if off_frames > 0 else "early"
        return Fault(
            late, f"it came {abs(off_frames):.1f} frames {'after' if off_frames > 0 else 'before'} its time"
        )
    if shown.missed:
        return Fault("missed-frame", f"{shown.missed} missed frames")
    return None
