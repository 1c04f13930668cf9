"""The shared memory through which images reach the stage's process."""

from __future__ import annotations

from multiprocessing.shared_memory import SharedMemory

import numpy as np

from closedloop.errors import StageError
from closedloop.ports import Pixels


class SharedImages:
    """Buffers for images, owned by the engine, read by the stage.

    Args:
        image_shape: height, width and 3.
        buffers: how many.
    """

    def __init__(self, image_shape: tuple[int, int, int], buffers: int) -> None:
        self._memory = SharedMemory(create=True, size=buffers * int(np.prod(image_shape)))
        self._images: Pixels | None = np.ndarray((buffers, *image_shape), np.uint8, buffer=self._memory.buf)
        self._free = list(range(buffers))
        self._named = True

    @property
    def name(self) -> str:
        """By which the other process finds the memory."""
        return self._memory.name

    @property
    def any_free(self) -> bool:
        """Whether an image can be put in now."""
        return bool(self._free)

    def put(self, image: Pixels) -> int:
        """Copy an image into a free buffer, bottom row first as GL wants it, and return the buffer."""
        if self._images is None:
            raise RuntimeError("the shared images are closed")
        buffer = self._free.pop(0)
        self._images[buffer] = image[::-1]
        return buffer

    def release(self, buffer: int) -> None:
        """The stage no longer needs a buffer."""
        self._free.append(buffer)

    def forget_name(self) -> None:
        """Take the name away, once the stage has opened the memory: it is gone with its two processes then.

        However they end, nothing is left behind, and nobody has to clear up or warn.
        """
        if self._named:
            self._named = False
            self._memory.unlink()

    def close(self) -> None:
        """Give the memory back. Safe to call twice."""
        if self._images is None:
            return
        self._images = None  # the memory can't be closed while an array looks into it
        self._memory.close()
        self.forget_name()


def check_image(image: Pixels, image_shape: tuple[int, int, int], slot: int) -> None:
    """Refuse what is no image of this stage.

    Raises:
        StageError: an image of another shape or type.
    """
    if image.shape != image_shape or image.dtype != np.uint8:
        raise StageError(
            f"image for stage slot {slot}",
            found=f"{image.dtype} of shape {image.shape}",
            expected=f"uint8 of shape {image_shape}",
            remedy="All images of a session have one size: check the generators and the reference images.",
        )
