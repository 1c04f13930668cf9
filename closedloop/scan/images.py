"""The images of a scan session as the session file numbers them."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping

from closedloop.ports import Pixels
from closedloop.scan.records import RunPlan
from closedloop.scan.stimuli import StimulusSet
from closedloop.session import ImageRecord, SessionStore


class ScanImages:
    """Numbers of the images that the runs of a session show: their places in the whole set.

    Args:
        stimuli: of the protocol.
        plans: every run of the session.

    Attributes:
        numbers: by name.
    """

    def __init__(self, stimuli: StimulusSet, plans: Iterable[RunPlan]) -> None:
        shown = {event.stimulus for plan in plans for event in plan.events if event.stimulus is not None}
        self._stimuli = stimuli
        self._names = {row: name for row, name in enumerate(stimuli) if name in shown}
        self.numbers: Mapping[str, int] = {name: row for row, name in self._names.items()}

    def pixels(self, image: int) -> Pixels:
        """Return an image by its number, ``(h, w, 3)`` uint8."""
        return self._stimuli[self._names[image]].pixels

    def record(self, store: SessionStore, there: Collection[int] = ()) -> None:
        """Put those into the session file that are not in it yet, with what they look like.

        Args:
            store: of the session.
            there: numbers of those that are; a further run may show images that no run before it did.
        """
        lacking = {row: name for row, name in self._names.items() if row not in there}
        with store.transaction():
            store.add_images(self._record(row, name) for row, name in lacking.items())
            for row in lacking:
                store.set_pixels(row, self.pixels(row))

    def _record(self, row: int, name: str) -> ImageRecord:
        stimulus = self._stimuli[name]
        return ImageRecord(row, "reference", 0, None, row, stimulus.code, None, stimulus.origin, name)
