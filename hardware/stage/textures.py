"""One texture for each slot, filled in place."""

from __future__ import annotations

import ctypes

import numpy as np
from PIL import Image
from psychopy import visual
from pyglet import gl

from closedloop.ports import Pixels
from hardware.stage.geometry import RectPx


class Textures:
    """A PsychoPy ImageStim for each slot, whose texture is written to directly.

    ``ImageStim.setImage`` makes a new texture out of floats, which takes milliseconds; writing the bytes
    into the texture that is there takes a fraction of one, and changes nothing else of the stimulus.

    Args:
        window: PsychoPy's window, whose GL context is current.
        image_shape: height, width and 3.
        slots: how many.
    """

    def __init__(self, window: visual.Window, image_shape: tuple[int, int, int], slots: int) -> None:
        self._height, self._width, _ = image_shape
        blank = Image.new("RGB", (self._width, self._height))
        self._images = [
            visual.ImageStim(window, image=blank, units="pix", size=(2, 2), interpolate=True, autoLog=False)
            for _ in range(slots)
        ]
        for image in self._images:
            gl.glBindTexture(gl.GL_TEXTURE_2D, image._texID)  # PsychoPy has no public name for it
            # PsychoPy's own choice blends the outermost half pixel with black
            gl.glTexParameteri(gl.GL_TEXTURE_2D, gl.GL_TEXTURE_WRAP_S, gl.GL_CLAMP_TO_EDGE)
            gl.glTexParameteri(gl.GL_TEXTURE_2D, gl.GL_TEXTURE_WRAP_T, gl.GL_CLAMP_TO_EDGE)
        gl.glBindTexture(gl.GL_TEXTURE_2D, 0)
        self._places: list[RectPx | None] = [None] * slots

    def upload(self, slot: int, rows_up: Pixels) -> None:
        """Write an image into a slot's texture, and wait until it is there.

        Args:
            slot: which.
            rows_up: (h, w, 3) with the bottom row first, as GL counts, contiguous.
        """
        data = rows_up.ctypes.data_as(ctypes.c_void_p)
        gl.glBindTexture(gl.GL_TEXTURE_2D, self._images[slot]._texID)
        gl.glPixelStorei(gl.GL_UNPACK_ALIGNMENT, 1)
        gl.glTexSubImage2D(
            gl.GL_TEXTURE_2D, 0, 0, 0, self._width, self._height, gl.GL_RGB, gl.GL_UNSIGNED_BYTE, data
        )
        gl.glBindTexture(gl.GL_TEXTURE_2D, 0)
        gl.glFinish()

    def draw(self, slot: int, place: RectPx) -> None:
        """Draw a slot's image into the back buffer."""
        image = self._images[slot]
        if self._places[slot] != place:
            image.pos = np.asarray(place.center)
            image.size = np.asarray(place.size)
            self._places[slot] = place
        image.draw()
