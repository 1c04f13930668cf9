"""What the engine may order of a stage, whichever stage it is."""

from __future__ import annotations

from closedloop.errors import StageError
from closedloop.ports import FixationChange, Showing


class OrderBook:
    """Remembers which slots are loaded and which still belong to a trial, and refuses what can't be right.

    Args:
        slots: of the stage.
    """

    def __init__(self, slots: int) -> None:
        self._slots = slots
        self._loaded: set[int] = set()
        self._trials: dict[int, int] = {}  # trial: slot

    def load(self, slot: int) -> None:
        """An image goes into a slot.

        Raises:
            StageError: no such slot, or a trial that is still to be shown needs what is in it.
        """
        self._check(slot)
        for trial, used in self._trials.items():
            if used == slot:
                raise _fault(
                    f"stage slot {slot}",
                    f"an image for it while trial {trial} waits",
                    "a slot that no trial needs",
                )
        self._loaded.add(slot)

    def show(self, order: Showing) -> None:
        """A trial is ordered.

        Raises:
            StageError: nothing was loaded into its slot, its number is in use, or its frames make no sense.
        """
        self._check(order.slot)
        where = f"trial {order.trial}"
        if order.slot not in self._loaded:
            raise _fault(where, f"slot {order.slot}, which is empty", "a slot that was loaded")
        if order.trial in self._trials:
            raise _fault(where, "a trial of this number that waits already", "a new number")
        if order.on_frames < 1 or order.off_frames < 0:
            raise _fault(
                where, f"{order.on_frames} frames on, {order.off_frames} off", "at least 1 on and 0 off"
            )
        self._trials[order.trial] = order.slot

    @staticmethod
    def fixate(change: FixationChange) -> None:
        """A change of the fixation point is ordered.

        Raises:
            StageError: its frames make no sense.
        """
        if change.frames < 1:
            raise _fault(f"fixation change {change.number}", f"{change.frames} frames", "at least 1")

    def shown(self, trial: int) -> None:
        """A trial is over."""
        self._trials.pop(trial, None)

    def clear(self) -> None:
        """What waited is dropped, and its slots are free."""
        self._trials.clear()

    def _check(self, slot: int) -> None:
        if not 0 <= slot < self._slots:
            raise _fault("stage slot", f"{slot}", f"0 to {self._slots - 1}")


def _fault(where: str, found: str, expected: str) -> StageError:
    return StageError(
        where, found=found, expected=expected, remedy="This is a fault of the program; please report it."
    )
