"""A generator without a network: the code is the image.

It needs no model file, so tests and rigs can be tried without one, and an evolution with it is the control
for what a GAN's prior adds.
"""

from __future__ import annotations

from typing import Any, ClassVar

import numpy as np
import numpy.typing as npt
from pydantic import Field

from closedloop.errors import ModelError
from closedloop.generators import base
from closedloop.models import WeightFile


class PixelsGenerator:
    """Each element of the code is one colour value of one pixel.

    The value is ``0.5 + code / (2 span)`` of white, clipped: an element of 0 is mid grey, of ``span`` full,
    of ``-span`` none. Codes run row by row from the top left, red, green and blue of each pixel together.
    Plain float32 arithmetic, so the bytes are the same on every machine.
    """

    class Parameters(base.Parameters):
        """Parameters of ``pixels``."""

        height_px: int = Field(16, ge=1, le=1024)
        width_px: int = Field(16, ge=1, le=1024)
        span: float = Field(2.0, gt=0, allow_inf_nan=False)

    default_weights: ClassVar[str | None] = None

    def __init__(
        self, parameters: Parameters, weights: WeightFile | None, device: str, threads: int | None
    ) -> None:
        del weights, threads
        if device not in ("auto", "cpu"):
            raise ModelError(
                "generator 'pixels'",
                found=f"device {device!r}",
                expected="auto or cpu",
                remedy="It has nothing for a GPU to do.",
            )
        self._span = parameters.span
        self.image_shape = (parameters.height_px, parameters.width_px, 3)
        self.code_length = parameters.height_px * parameters.width_px * 3
        self.device = "cpu"

    def render(self, codes: npt.NDArray[np.float32]) -> npt.NDArray[np.uint8]:
        """Return the images ``(n, h, w, 3)`` of ``codes`` ``(n, h * w * 3)``; see ``Generator.render``."""
        codes = base.checked_codes(codes, self.code_length, "generator 'pixels'")
        clipped = np.clip(codes, -self._span, self._span)
        levels = np.rint((clipped / np.float32(self._span) + np.float32(1)) * np.float32(127.5))
        images: npt.NDArray[np.uint8] = levels.astype(np.uint8).reshape(-1, *self.image_shape)
        return images

    def warm_up(self) -> None:
        """Nothing is slow the first time."""

    @property
    def provenance(self) -> dict[str, Any]:
        """What made these images."""
        return {
            "generator": "pixels",
            "device": self.device,
            "code_length": self.code_length,
            "image_shape": list(self.image_shape),
            "span": self._span,
            "numpy": np.__version__,
        }
