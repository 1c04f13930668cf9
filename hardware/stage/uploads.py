"""Which image is to be uploaded next, and whether now is the time for it."""

from __future__ import annotations

from hardware.stage.schedule import Schedule


class Uploads:
    """Images that wait in shared buffers for their textures.

    Pictures are uploaded on frames that show the background. Where trials follow each other with no
    background between them, the picture that is needed next is uploaded beside the one on the screen,
    into another texture. In both cases only if it fits the time that is left before the flip; only
    while no trial runs may it take longer, since no frame counts then.
    """

    def __init__(self) -> None:
        self._waiting: dict[int, int] = {}  # slot: buffer, in the order of loading
        self._done: set[int] = set()

    def add(self, slot: int, buffer: int) -> int | None:
        """An image is to go into a slot; return the buffer of the one that it replaces while waiting."""
        self._done.discard(slot)
        replaced = self._waiting.pop(slot, None)
        self._waiting[slot] = buffer
        return replaced

    def ready(self, slot: int) -> bool:
        """Whether the newest image for a slot is in its texture."""
        return slot in self._done

    def next(self, schedule: Schedule) -> int | None:
        """Return the slot to upload now, if there is one that may be."""
        on_screen = schedule.slot_on_screen
        needed = schedule.next_slot
        if needed in self._waiting and needed != on_screen:
            background = on_screen is None
            return needed if background or not schedule.background_ahead else None
        if on_screen is not None:
            return None
        return next(iter(self._waiting), None)

    def take(self, slot: int) -> int:
        """The image for a slot is being uploaded; return its buffer."""
        self._done.add(slot)
        return self._waiting.pop(slot)
