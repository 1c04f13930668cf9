"""Where things are on the screen, in whole pixels.

Coordinates are PsychoPy's: the origin in the middle of the window, x to the right, y up.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

from closedloop.protocol.models import Corner, Display


@dataclass(frozen=True)
class RectPx:
    """A rectangle on whole pixels, as its centre, width and height."""

    center: tuple[float, float]
    size: tuple[int, int]


def pixels_per_deg(width_px: int, width_cm: float, distance_cm: float) -> float:
    """Pixels of the one degree in the middle of the screen, as PsychoPy's unit ``deg`` counts them."""
    return width_px / width_cm * distance_cm * math.tan(math.radians(1.0))


def image_rect(
    window_px: tuple[int, int],
    per_deg: float,
    position_deg: tuple[float, float],
    size_deg: tuple[float, float],
) -> RectPx:
    """The rectangle of an image, moved by less than a pixel so that its edges lie between pixels.

    An image shown at its own size then comes out pixel by pixel, and no edge is half lit.

    Args:
        window_px: width and height of the window.
        per_deg: pixels per degree.
        position_deg: centre, right of and above the middle of the window.
        size_deg: width and height.
    """
    sides = [max(1, round(side * per_deg)) for side in size_deg]
    center = [
        _between_pixels(place * per_deg, side, whole)
        for place, side, whole in zip(position_deg, sides, window_px, strict=True)
    ]
    return RectPx(center=(center[0], center[1]), size=(sides[0], sides[1]))


def patch_rect(display: Display) -> RectPx:
    """The rectangle of the photodiode patch, in its corner of the window.

    Raises:
        ValueError: the display has no patch.
    """
    if display.photodiode is None:
        raise ValueError("this display has no photodiode patch")
    side = display.photodiode.size_px
    right, up = (extent / 2 - side / 2 for extent in display.size_px)
    corner = display.photodiode.corner
    x = right if corner in (Corner.TOP_RIGHT, Corner.BOTTOM_RIGHT) else -right
    y = up if corner in (Corner.TOP_LEFT, Corner.TOP_RIGHT) else -up
    return RectPx(center=(x, y), size=(side, side))


def _between_pixels(center: float, side: int, window: int) -> float:
    low = round(center - side / 2 + window / 2)  # first pixel, counted from the window's edge
    return low + side / 2 - window / 2
