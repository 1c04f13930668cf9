"""How fast a recording may be played or shown again."""

from __future__ import annotations

from closedloop.errors import RecordingError

SPEEDS = (0.01, 1000.0)


def check_speed(speed: float) -> None:
    """Refuse a speed that nothing can be played at, before anything is opened.

    Args:
        speed: 1 is as recorded, 10 ten times as fast.

    Raises:
        RecordingError: it is not within ``SPEEDS``.
    """
    if not SPEEDS[0] <= speed <= SPEEDS[1]:
        raise RecordingError(
            "--speed",
            found=f"{speed:g}",
            expected=f"{SPEEDS[0]:g} to {SPEEDS[1]:g}",
            remedy="Choose another speed; 1 is as recorded.",
        )
