"""When pulses keep coming where none is due: is the grid that they are held against the wrong one?

A single pulse off the grid is a stray. Several that are regular among themselves are the scanner's, and then it
is the grid that has to move. What earlier pulses were taken for is not rewritten; the count is set right.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from closedloop.scan.grid import Grid

OTHER_TR = (0.6, 1.6)
"""Pulses this many intervals apart, and evenly so, are a sequence of another TR. Outside, every second pulse
may be lost, or doubled; then the protocol's grid is kept."""

SAME_TR = 0.03
"""Relative difference up to which an interval is the protocol's."""


@dataclass(frozen=True)
class Relock:
    """The grid to go on with.

    Attributes:
        why: ``stray_start``: the first pulse was not the scanner's; ``other_tr``: the TR is another one;
            ``phase``: the pulses come at another phase of the TR.
        slots: number of each of the pulses that the new grid stands on.
        times_s: their stamps.
    """

    why: Literal["stray_start", "other_tr", "phase"]
    slots: tuple[int, ...]
    times_s: tuple[float, ...]


def find_relock(
    grid: Grid, lone: bool, last_slot: int, last_s: float, off_s: Sequence[float], slack_s: float
) -> Relock | None:
    """Return the grid that the latest pulses stand on, if it is not the present one.

    Args:
        grid: of the sequence.
        lone: a single pulse stands on the present grid, and it may not have been the scanner's.
        last_slot: slot of the last pulse that stands on it.
        last_s: its stamp.
        off_s: stamps of the pulses since, none of which stood on it; the last one is new (and may stand on it).
        slack_s: by how much two equal intervals may differ.
    """
    if len(off_s) < 2 or not grid.uniform:
        return None
    step_s = grid.interval_s
    last_interval = off_s[-1] - off_s[-2]
    same = abs(last_interval - step_s) <= max(SAME_TR * step_s, slack_s)
    if lone and same:
        return Relock("stray_start", (0, 1), (off_s[-2], off_s[-1]))
    three = (last_s, *off_s) if len(off_s) == 2 else tuple(off_s[-3:])
    first_interval = three[1] - three[0]
    even = abs(last_interval - first_interval) <= slack_s
    ratio = (three[2] - three[0]) / 2 / step_s
    if not even or not OTHER_TR[0] <= ratio <= OTHER_TR[1]:
        return None
    if same and len(off_s) == 2:
        return None  # needs three pulses off the grid, as two could be a person's
    first_slot = last_slot if len(off_s) == 2 else last_slot + max(1, round((three[0] - last_s) / step_s))
    slots = (first_slot, first_slot + 1, first_slot + 2)
    return Relock("phase" if same else "other_tr", slots, three)
