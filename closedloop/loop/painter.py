"""Renders images in the order in which they will be shown, just ahead of their trials."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

import numpy as np
import numpy.typing as npt

from closedloop.generators import Generator
from closedloop.ports import Pixels
from closedloop.session import SessionStore

# An image alone is on the screen soonest; later ones are cheaper together, but must not keep the loop
# from its streams for longer than about a frame.
FIRST_BATCH = 1
BATCH = 2


class Painter:
    """Renders codes of one generation and records the pixels before anyone sees them.

    Args:
        generators: of each thread.
        store: the session file.
    """

    def __init__(self, generators: Mapping[int, Generator], store: SessionStore) -> None:
        self._generators = generators
        self._store = store
        self._codes: dict[int, tuple[int, npt.NDArray[np.float32]]] = {}
        self._pixels: dict[int, Pixels] = {}
        self._kept: dict[int, Pixels] = {}

    def keep(self, image: int, pixels: Pixels) -> None:
        """Take an image that stays the same for the whole session (a reference), already recorded."""
        self._kept[image] = pixels

    def expect(
        self,
        codes: Mapping[int, tuple[int, npt.NDArray[np.float32]]],
        recorded: Mapping[int, Pixels] | None = None,
    ) -> None:
        """Take the codes of a new generation.

        Args:
            codes: image number -> (thread, code (d,)).
            recorded: images that an earlier run has rendered and recorded: these are what is shown.
        """
        self._codes = dict(codes)
        self._pixels = {image: pixels for image, pixels in (recorded or {}).items() if image in codes}

    def ready(self, image: int) -> Pixels | None:
        """Return an image if it has been rendered."""
        return self._kept.get(image, self._pixels.get(image))

    def paint(self, upcoming: Iterable[int]) -> bool:
        """Render the next images that are not there yet, one batch of one thread; False if all are there."""
        missing = [image for image in dict.fromkeys(upcoming) if self.ready(image) is None]
        if not missing:
            return False
        thread = self._codes[missing[0]][0]
        size = BATCH if self._pixels else FIRST_BATCH
        batch = [image for image in missing if self._codes[image][0] == thread][:size]
        rendered = self._generators[thread].render(np.stack([self._codes[image][1] for image in batch]))
        with self._store.transaction():
            for image, pixels in zip(batch, rendered, strict=True):
                self._store.set_pixels(image, pixels)
                self._pixels[image] = pixels
        return True
