"""When pulses keep coming where none is due: is the grid that they are held against the wrong one?

A single pulse off the grid is a stray. Several that are regular among themselves are the scanner's, and then it
is the grid that has to move. What earlier pulses were taken for is not rewritten; the count is set right.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from closedloop.scan.ports import Pulse
from closedloop.scan.pulse_numbers import passed
from closedloop.scan.sequence import LATE, Sequence

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


def starts_anew(sequence: Sequence, slot: int, time_s: float) -> bool:
    """Return whether a pulse, after a lone first one and silence, stands in no relation to that.

    Args:
        sequence: with a single pulse on its grid.
        slot: the place nearest to the new pulse.
        time_s: the new pulse's stamp.
    """
    grid, gap = sequence.grid, slot - sequence.last
    if gap <= max(2, grid.slices):
        return False
    if grid.slices > 1:
        return True  # slices follow each other too closely for a phase to tell anything
    slack_s = sequence.slack_s + SAME_TR / 3 * gap * grid.tr_s
    return abs(time_s - sequence.due_s(slot)) > slack_s


def counts_anew(sequence: Sequence, first_mark: str, pulse: Pulse, numbered_from: int) -> bool:
    """Return whether a pulse bears the number of a sequence's first, while the lone one before it is not of its count.

    Args:
        sequence: with a single pulse on its grid.
        first_mark: of that pulse.
        pulse: the new one.
        numbered_from: number of a sequence's first.
    """
    before = passed(first_mark, numbered_from)
    if passed(pulse.mark, numbered_from) != 0 or before == 0 or pulse.time_s <= sequence.last_s:
        return False
    if before is None or before > 0:
        return True
    # a gateway that counts from a lower number than the protocol says just goes on counting
    slot = sequence.nearest(pulse.time_s)
    goes_on = slot - sequence.last == -before
    return not (goes_on and sequence.free_for(slot, pulse.time_s, pulse.uncertainty_s))


def slices_missed(sequence: Sequence, gap_s: float) -> int:
    """Return how many slices were missed at the start, as a sparse volume's silence came early.

    Args:
        sequence: so far.
        gap_s: from its last pulse to the new one.

    Returns:
        0 if the gap is not that silence, or no news.
    """
    grid = sequence.grid
    missed = grid.slices - 1 - sequence.last
    if grid.uniform or missed <= 0:
        return 0
    silence = grid.position(grid.slices) - grid.position(grid.slices - 1)
    slack_s = max(sequence.slack_s, LATE * grid.interval_s)
    return missed if abs(gap_s - silence * grid.tr_s) <= slack_s else 0


def find_relock(sequence: Sequence, off_s: tuple[float, ...], *, lone: bool) -> Relock | None:
    """Return the grid that the latest pulses stand on, if it is not the present one.

    Args:
        sequence: so far.
        off_s: stamps of the pulses since its last one, none of which stood on its grid; the newest is new (and
            may stand on it). At most three.
        lone: a single pulse stands on the present grid, and it may not have been the scanner's.
    """
    grid, slack_s = sequence.grid, sequence.slack_s
    if len(off_s) < 2 or not grid.uniform:
        return None
    step_s = grid.interval_s
    last_interval = off_s[-1] - off_s[-2]
    same = abs(last_interval - step_s) <= max(SAME_TR * step_s, slack_s)
    if lone and same:
        return Relock("stray_start", (0, 1), (off_s[-2], off_s[-1]))
    three = (sequence.last_s, *off_s) if len(off_s) == 2 else tuple(off_s[-3:])
    even = abs(last_interval - (three[1] - three[0])) <= slack_s
    ratio = (three[2] - three[0]) / 2 / step_s
    if not even or not OTHER_TR[0] <= ratio <= OTHER_TR[1]:
        return None
    if same and len(off_s) == 2:
        return None  # needs three pulses off the grid, as two could be a person's
    first = sequence.last
    if len(off_s) == 3:
        first += max(1, round((three[0] - sequence.last_s) / step_s))
    return Relock("phase" if same else "other_tr", (first, first + 1, first + 2), three)
