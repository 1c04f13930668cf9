"""What stands on the screen, read back from the X server: a photodiode without a diode (Linux, X11).

Each sample costs one round trip to the server (about 15,000 a second at most), and carries the LSL clock
from before and after it, so its uncertainty is known and not assumed. A Wayland screen can't be read this
way. What it can't show either is the monitor's own delay: for that a real photodiode is needed.
"""

from __future__ import annotations

import sys
from dataclasses import dataclass
from types import TracebackType
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt
import pylsl

from closedloop.errors import NoDisplayError, StageError

_LUMA = (0.299, 0.587, 0.114)  # ITU-R BT.601, from red, green and blue


class Sample(NamedTuple):
    """The patch's level 0 to 255 at an instant between two readings of the LSL clock."""

    before_s: float
    after_s: float
    level: float


@dataclass(frozen=True)
class Transition:
    """The patch changed between ``before_s`` and ``after_s``, and was ``level`` then."""

    before_s: float
    after_s: float
    level: float
    bright: bool

    @property
    def time_s(self) -> float:
        """The middle of the interval that the change lies in."""
        return (self.before_s + self.after_s) / 2

    @property
    def uncertainty_s(self) -> float:
        """Half the interval that the change lies in."""
        return (self.after_s - self.before_s) / 2


class EdgeDetector:
    """Finds the transitions in a run of samples, with hysteresis.

    Args:
        low: at or below this level the patch is dark.
        high: at or above this level it is bright; between the two it stays what it was.
    """

    def __init__(self, low: float = 85.0, high: float = 170.0) -> None:
        if not low < high:
            raise ValueError(f"low ({low}) must lie below high ({high})")
        self._low, self._high = low, high
        self._bright: bool | None = None
        self._since_s = 0.0

    @property
    def bright(self) -> bool | None:
        """Whether the patch is bright; None until it has been clearly one or the other."""
        return self._bright

    def feed(self, sample: Sample) -> Transition | None:
        """Take the next sample; return the transition that it completes, if any (the first level is none)."""
        now = True if sample.level >= self._high else False if sample.level <= self._low else self._bright
        changed = self._bright is not None and now is not self._bright
        earliest_s = self._since_s
        self._bright = now
        self._since_s = sample.before_s
        if not changed:
            return None
        return Transition(earliest_s, sample.after_s, sample.level, bool(now))


class PatchSampler:
    """Reads pixels of the screen through an X connection of its own. Use it from one thread only.

    Args:
        x: column of the patch's pixel on the whole screen, from the left.
        y: its row, from the top.
        display_name: for example ``":1"``; None takes ``DISPLAY``.

    Raises:
        NoDisplayError: no X server answers.
        StageError: the pixel is off the screen, or the screen's pixels are not 8 bits a colour.
    """

    def __init__(self, x: int, y: int, display_name: str | None = None) -> None:
        if not sys.platform.startswith("linux"):
            raise NoDisplayError(
                "reading the screen",
                found=f"the platform {sys.platform}",
                expected="X11 on Linux",
                remedy="On this platform use a real photodiode.",
            )
        from Xlib import X, display, error

        self._gone = (error.ConnectionClosedError, OSError)
        try:
            self._display: Any = display.Display(display_name)
        except (error.DisplayError, error.XError, OSError) as problem:
            raise NoDisplayError(
                f"display {display_name or '$DISPLAY'}",
                found=f"no X server ({problem})",
                expected="the screen with the stimulus window",
                remedy="Set DISPLAY, or start one: Xvfb :1",
            ) from problem
        screen = self._display.screen()
        self._root, self._format, self._planes = screen.root, X.ZPixmap, 0xFFFFFFFF
        self.size_px: tuple[int, int] = (screen.width_in_pixels, screen.height_in_pixels)
        self._rgb_bytes = self._byte_places(screen)
        self.aim(x, y)

    def aim(self, x: int, y: int) -> None:
        """Sample another pixel from now on.

        Raises:
            StageError: it is off the screen.
        """
        self._require_inside(x, y, 1, 1)
        self._x, self._y = x, y

    def sample(self) -> Sample:
        """Read the patch's pixel now (blocks for one round trip, about 0.1 ms).

        Raises:
            NoDisplayError: the X server has gone.
        """
        before_s = pylsl.local_clock()
        data = self._read(self._x, self._y, 1, 1)
        after_s = pylsl.local_clock()
        red, green, blue = (data[place] for place in self._rgb_bytes)
        return Sample(before_s, after_s, _LUMA[0] * red + _LUMA[1] * green + _LUMA[2] * blue)

    def grab(self, rect: tuple[int, int, int, int]) -> npt.NDArray[np.uint8]:
        """Return the pixels ``(h, w, 3)`` of a rectangle ``(x, y, w, h)`` of the screen.

        Raises:
            NoDisplayError: the X server has gone.
            StageError: a part of the rectangle is off the screen.
        """
        x, y, width, height = rect
        self._require_inside(x, y, width, height)
        pixels = np.frombuffer(self._read(x, y, width, height), np.uint8).reshape(height, width, 4)
        return np.ascontiguousarray(pixels[:, :, self._rgb_bytes])

    def close(self) -> None:
        """Close the connection; safe when the server has gone."""
        try:
            self._display.close()
        except self._gone:
            return  # there is nothing left to close

    def __enter__(self) -> PatchSampler:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, value: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def _read(self, x: int, y: int, width: int, height: int) -> bytes:
        try:
            data: bytes = self._root.get_image(x, y, width, height, self._format, self._planes).data
        except self._gone as problem:
            raise NoDisplayError(
                "reading the screen",
                found="an X server that has gone",
                expected="the screen with the stimulus window",
                remedy="If the session has ended, this is in order.",
            ) from problem
        return data

    def _require_inside(self, x: int, y: int, width: int, height: int) -> None:
        if (
            x < 0
            or y < 0
            or width < 1
            or height < 1
            or x + width > self.size_px[0]
            or y + height > self.size_px[1]
        ):
            raise StageError(
                "reading the screen",
                found=f"{width}x{height} pixels at ({x}, {y})",
                expected=f"a place within the {self.size_px[0]}x{self.size_px[1]} screen",
                remedy="Correct the patch's or the picture's place.",
            )

    def _byte_places(self, screen: Any) -> list[int]:
        """Where red, green and blue stand in a pixel of four bytes."""
        from Xlib import X

        visuals = {v.visual_id: v for depth in screen.allowed_depths for v in depth.visuals}
        visual = visuals[screen.root_visual]
        masks = (visual.red_mask, visual.green_mask, visual.blue_mask)
        shifts = {0xFF: 0, 0xFF00: 1, 0xFF0000: 2, 0xFF000000: 3}
        if screen.root_depth not in (24, 32) or any(mask not in shifts for mask in masks):
            raise StageError(
                "reading the screen",
                found=f"a screen of {screen.root_depth} bits a pixel, masks {[hex(mask) for mask in masks]}",
                expected="8 bits for each of red, green and blue",
                remedy="Set the X server to 24 bits a pixel.",
            )
        places = [shifts[mask] for mask in masks]
        if self._display.display.info.image_byte_order == X.LSBFirst:
            return places
        return [3 - place for place in places]
