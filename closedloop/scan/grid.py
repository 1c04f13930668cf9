"""Where each pulse of a sequence is due, counted in TRs from the first."""

from __future__ import annotations

import math

from closedloop.protocol.sections.scan import Scanner


class Grid:
    """The places of a sequence's pulses, a slot each, from 0 for the first pulse.

    Args:
        scanner: section of the protocol.

    Attributes:
        tr_s: nominal TR.
        slices: pulses in a volume, 1 unless each slice sends one.
        interval_s: nominal time between two pulses of a volume.
        start: slot of the first stored volume.
        total: slots of dummies and stored volumes.
    """

    def __init__(self, scanner: Scanner) -> None:
        self.tr_s = scanner.tr_s
        self.slices = scanner.slices
        self.interval_s = scanner.busy_s / self.slices
        self.start = scanner.dummies * self.slices
        self.total = (scanner.dummies + scanner.volumes) * self.slices
        self._step = self.interval_s / self.tr_s
        self.uniform = self.slices == 1 or scanner.busy_s == scanner.tr_s

    def position(self, slot: int) -> float:
        """Return a slot's place in TRs from slot 0."""
        volume, part = divmod(slot, self.slices)
        return volume + part * self._step

    def nearest(self, position: float) -> int:
        """Return the slot nearest to a place in TRs."""
        volume = math.floor(position)
        part = min(self.slices - 1, max(0, round((position - volume) / self._step)))
        slot = volume * self.slices + part
        return min((slot - 1, slot, slot + 1), key=lambda other: abs(self.position(other) - position))

    def volume_of(self, slot: int) -> int:
        """Return the volume that a slot belongs to, dummies included."""
        return slot // self.slices

    def begins_volume(self, slot: int) -> bool:
        """Return whether a slot is the first of its volume."""
        return slot % self.slices == 0
