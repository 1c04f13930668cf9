"""The pulses that stand on the grid, and where on it the next one is due."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import TypeAlias

from closedloop.scan.fit import SETTLED, RunningFit, TrFit
from closedloop.scan.grid import Grid

LATE = 0.2
"""A stamp may be late by this share of the pulses' interval where its place is free: a reader that had to wait
for the processor stamps late, never early."""

LATE_S = 0.1
"""And by so many seconds however short the interval: for how long the processor is taken away does not go by it."""

WIDEST = 0.4
"""Of the interval: a pulse that is off by more belongs to no place rather than to the nearest."""

UNSETTLED_JITTERS = 8
"""A Gaussian jitter whose standard deviation is the protocol's stays within this many."""

SURE = 7
"""Standard deviations that a pulse may be off; the deviation itself is known from few pulses at first."""

Narrowed: TypeAlias = Callable[[float, float], tuple[float, float]]


class Sequence:
    """Stamps by slot, and the fit over them.

    Args:
        grid: of the sequence.
        jitter_s: largest jitter of a pulse that is normal.

    Attributes:
        times_s: stamp of each slot whose pulse came.
        last: the highest of these slots; -1 without any.
        fit_from: slot from which on pulses are in the fit.
    """

    def __init__(self, grid: Grid, jitter_s: float) -> None:
        self.grid = grid
        self.jitter_s = jitter_s
        self.times_s: dict[int, float] = {}
        self.last = -1
        self.fit_from = 0
        self.running = self._fit_of(grid.tr_s)

    @property
    def fit(self) -> TrFit | None:
        """TR and start of the first stored volume; None before there are three pulses."""
        return self.running.fit(self.grid.position(self.grid.start))

    @property
    def last_s(self) -> float:
        """Stamp of the last pulse."""
        return self.times_s[self.last]

    @property
    def slack_s(self) -> float:
        """By how much two intervals may differ, or a pulse be off, before the jitter is known."""
        return UNSETTLED_JITTERS * self.jitter_s

    @property
    def _late_s(self) -> float:
        return max(LATE * self.grid.interval_s, LATE_S)

    def take(self, slot: int, time_s: float) -> None:
        """Let a pulse stand in a slot."""
        self.times_s[slot] = time_s
        self.last = max(self.last, slot)
        self.running.add(self.grid.position(slot), time_s)

    def move(self, pulses: dict[int, float], tr_s: float, *, keep: bool) -> None:
        """Go on with a grid that stands on other pulses.

        Args:
            pulses: stamps by slot; the fit is over these alone.
            tr_s: about what the TR is.
            keep: leave the pulses before them in their slots.
        """
        self.fit_from = min(pulses)
        self.times_s = {slot: at_s for slot, at_s in self.times_s.items() if keep and slot < self.fit_from}
        self.last = max(self.times_s, default=-1)
        self.running = self._fit_of(tr_s)
        for slot, time_s in sorted(pulses.items()):
            self.take(slot, time_s)

    def anew(self, times_s: tuple[float, ...], step_s: float, share: int) -> dict[int, float]:
        """Return stamps by slot for pulses that come evenly, at steps that are not this sequence's.

        Args:
            times_s: their stamps; they are counted on from the first that stands in a slot.
            step_s: from one to the next.
            share: each so many of them stands in a slot.
        """
        slots = {time_s: slot for slot, time_s in self.times_s.items()}
        first_s = next((time_s for time_s in times_s if time_s in slots), self.last_s)
        steps = {round((time_s - first_s) / step_s): time_s for time_s in times_s if time_s >= first_s}
        standing = {slots[first_s] + step // share: steps[step] for step in steps if step % share == 0}
        return self._within(standing)

    def anew_from_bursts(self, firsts_s: tuple[float, ...]) -> dict[int, float]:
        """Return stamps by slot for volumes that follow each other, each by the first of its several pulses.

        Args:
            firsts_s: their stamps.
        """
        first = min(self.times_s)
        off_s = firsts_s[0] - self.times_s[first]
        if off_s > 0:  # what was heard first was of an earlier volume, though maybe not its first pulse
            first += max(1, math.ceil((off_s - self.slack_s) / self.grid.tr_s))
        return self._within({first + number: time_s for number, time_s in enumerate(firsts_s)})

    def _within(self, standing: dict[int, float]) -> dict[int, float]:
        return {slot: time_s for slot, time_s in standing.items() if slot < self.grid.total}

    def nearest(self, time_s: float) -> int:
        """Return the slot nearest to a time."""
        return self.grid.nearest(self.running.place(time_s))

    def due_s(self, slot: int) -> float:
        """Return when a slot's pulse was or is due."""
        return self.running.predict(self.grid.position(slot))

    def stamp_s(self, slot: int) -> float:
        """Return a slot's stamp if its pulse came, else when it was or is due."""
        return self.times_s[slot] if slot in self.times_s else self.due_s(slot)

    def residual_s(self, slot: int, time_s: float) -> float:
        """Return a time minus the fit's for a slot; NaN before there is a fit."""
        fit = self.fit
        if fit is None:
            return math.nan
        places = self.grid.position(slot) - self.grid.position(self.grid.start)
        return time_s - fit.start_s - fit.tr_s * places

    def free_for(
        self, slot: int, time_s: float, uncertainty_s: float, narrowed: Narrowed | None = None
    ) -> bool:
        """Return whether a pulse may stand in a slot: nothing does, and it is near enough.

        Args:
            slot: asked for.
            time_s: the pulse's stamp.
            uncertainty_s: of the stamp.
            narrowed: makes of how early and late it may be, in seconds, how much it really may.
        """
        if slot < 0 or slot in self.times_s:
            return False
        early_s, late_s = self._window_s(slot, uncertainty_s)
        if narrowed is not None:
            early_s, late_s = narrowed(early_s, late_s)
        return -early_s <= time_s - self.due_s(slot) <= late_s

    def volumes(self, first: int = 0) -> int:
        """Count the volumes whose (first) pulse came, from a slot on."""
        return sum(slot >= first and self.grid.begins_volume(slot) for slot in self.times_s)

    def _fit_of(self, tr_s: float) -> RunningFit:
        return RunningFit(tr_s, self.jitter_s, 0 if self.grid.uniform else self.grid.slices)

    def _window_s(self, slot: int, uncertainty_s: float) -> tuple[float, float]:
        """Return by how much a pulse may be early and late for a slot."""
        late_s = self._late_s
        early_s = self._early_s(slot)
        if math.isfinite(uncertainty_s):
            early_s += uncertainty_s
        widest_s = WIDEST * self.grid.interval_s
        return min(early_s, widest_s), min(max(early_s, late_s), widest_s)

    def _early_s(self, slot: int) -> float:
        running, x = self.running, self.grid.position(slot)
        if running.n >= SETTLED:
            return max(3 * self.jitter_s, SURE * running.spread_s(x))
        if running.n == 1 or running.farthest_s > self.slack_s:
            # one of so few may be late, or the TR another: against either the next is early
            return max(self.slack_s, self._late_s)
        return self.slack_s + running.held_s(x)
