"""Which image is in which of the stage's slots."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable

from closedloop.ports import Pixels, Stage


class ImageSlots:
    """Loads images ahead of their trials; one that is in a slot already is not loaded again.

    The slot that was used longest ago is given to another image, unless a trial that is not over needs it.

    Args:
        stage: an open stage.
        pixels_of: returns an image by its number, ``(h, w, 3)`` uint8.
    """

    def __init__(self, stage: Stage, pixels_of: Callable[[int], Pixels]) -> None:
        self._stage = stage
        self._pixels_of = pixels_of
        self._slot_of: OrderedDict[int, int] = OrderedDict()  # image: slot, used longest ago first
        self._free = list(range(stage.slots - 1, -1, -1))
        self._users: dict[int, int] = {}  # image: trials that need it

    def load(self, image: int) -> int | None:
        """Return the slot that holds an image, loading it if need be; None if every slot is needed."""
        if image in self._slot_of:
            self._slot_of.move_to_end(image)
            return self._slot_of[image]
        slot = self._free.pop() if self._free else self._take_back()
        if slot is not None:
            self._stage.load(slot, self._pixels_of(image))
            self._slot_of[image] = slot
        return slot

    def hold(self, image: int) -> None:
        """A trial needs an image that is loaded."""
        self._users[image] = self._users.get(image, 0) + 1

    def release(self, image: int) -> None:
        """A trial no longer needs an image."""
        self._users[image] -= 1
        if not self._users[image]:
            del self._users[image]

    def _take_back(self) -> int | None:
        image = next((image for image in self._slot_of if image not in self._users), None)
        return None if image is None else self._slot_of.pop(image)
