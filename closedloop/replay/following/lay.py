"""The recorded samples of one trial, moved to where its image came on this time."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import numpy.typing as npt

from closedloop.ports import Float64
from closedloop.scoring import EDGE_S

SAME_S = 2.5e-4
"""Clocks of two programs agree to this on one machine or one network (measured: 0.03 to 0.04 ms on one)."""
KEEP_ALIVE_S = 0.02


@dataclass(frozen=True, eq=False)
class Lay:
    """Samples of one recorded trial on the clock of now.

    Attributes:
        run: of the recording that they are from.
        shift_s: live onset minus recorded onset.
        begins_s: where what the windows need begins, on the clock of now.
        ends_s: where it ends.
        covers_s: the same in the recording's time, begin and end inclusive.
        recorded_s: (n,) recorded times, ascending.
        stamps_s: (n,) times now.
        values: (n, channels).
        core: the first so many samples are those that the windows need; the rest came after them.
        spare: of these, the score does not hang on the first so many: they may give way to real samples of
            the trial before.
    """

    run: int
    shift_s: float
    begins_s: float
    ends_s: float
    covers_s: tuple[float, float]
    recorded_s: Float64
    stamps_s: Float64
    values: npt.NDArray[Any]
    core: int
    spare: int = 0

    def after(self, recorded_s: float) -> Lay:
        """Return what is left when all up to and including a recorded time is left out."""
        first = int(np.searchsorted(self.recorded_s, recorded_s, side="right"))
        return replace(
            self,
            recorded_s=self.recorded_s[first:],
            stamps_s=self.stamps_s[first:],
            values=self.values[first:],
            core=max(0, self.core - first),
        )

    def moved(self, by_s: float) -> Lay:
        """Return it at another time."""
        return replace(
            self,
            shift_s=self.shift_s + by_s,
            begins_s=self.begins_s + by_s,
            ends_s=self.ends_s + by_s,
            stamps_s=self.stamps_s + by_s,
        )


@dataclass(frozen=True)
class Place:
    """Where a recorded trial lies, and where its samples are to go.

    Attributes:
        start_s: where the first window begins, in the recording's time.
        score_s: where the first window begins that the score hangs on.
        end_s: where the last one ends.
        next_s: where the first window of the next recorded trial begins.
    """

    run: int
    start_s: float
    score_s: float
    end_s: float
    next_s: float
    shift_s: float


def lay_covering(place: Place, times_s: Float64, values: npt.NDArray[Any]) -> Lay | None:
    """Lay a stream whose samples stand for the time between them (rates, counts, fixation).

    Needed are the samples from the last one at or before the first window to the first one at or after
    the end of the last, for a bin at an edge is cut off by the edge and by the sample before it.

    Args:
        place: of the trial.
        times_s: (n,) ascending, the recording's time.
        values: (n, channels).

    Returns:
        None if the samples do not reach over the windows.
    """
    first = int(np.searchsorted(times_s, place.start_s + EDGE_S, side="right")) - 1
    last = int(np.searchsorted(times_s, place.end_s - EDGE_S, side="left"))
    if first < 0 or last >= len(times_s):
        return None
    beyond = int(np.searchsorted(times_s, place.next_s + EDGE_S, side="right")) - 1
    part = slice(first, max(last + 1, beyond))
    recorded = times_s[part]
    stamps = recorded + place.shift_s
    core = last + 1 - first
    covers = (float(recorded[0]), float(recorded[core - 1]))
    edges = (float(stamps[0]), float(stamps[core - 1]))
    spare = int(np.searchsorted(recorded[:core], place.score_s + EDGE_S, side="right")) - 1
    return Lay(place.run, place.shift_s, *edges, covers, recorded, stamps, values[part], core, spare)


def lay_spikes(
    place: Place, times_s: Float64, values: npt.NDArray[Any], edges_s: tuple[float, ...]
) -> Lay | None:
    """Lay a stream whose samples are spikes, with signs of life between them.

    A spike nearer to an edge of a window than ``SAME_S`` is put at that distance from it, on its own side:
    what is left of the difference between two clocks would else move it across.

    Args:
        place: of the trial.
        times_s: (n,) ascending, the recording's time.
        values: (n, 1) unit numbers.
        edges_s: begin and end of every window, the recording's time.
    """
    spikes = (times_s >= place.start_s) & (times_s < max(place.next_s, place.end_s)) & (values[:, 0] >= 0)
    recorded = times_s[spikes]
    placed = recorded.copy()
    for edge_s in edges_s:
        near = np.abs(placed - edge_s) < SAME_S
        placed[near] = np.where(recorded[near] >= edge_s, edge_s + SAME_S, edge_s - SAME_S)
    until_s = float(recorded[-1]) if len(recorded) else place.start_s
    alive = np.arange(place.start_s, max(place.end_s, until_s), KEEP_ALIVE_S)
    every, put = np.concatenate([recorded, alive]), np.concatenate([placed, alive])
    units = np.concatenate([values[spikes], np.full((len(alive), 1), -1, values.dtype)])
    order = np.argsort(every, kind="stable")
    covers = (place.start_s, float(np.nextafter(place.end_s, -np.inf)))
    core = int(np.searchsorted(every[order], place.end_s, side="left"))
    begins_s, ends_s = place.start_s + place.shift_s, place.end_s + place.shift_s
    stamps = put[order] + place.shift_s
    return Lay(place.run, place.shift_s, begins_s, ends_s, covers, every[order], stamps, units[order], core)


def lay_answer(
    place: Place, times_s: Float64, values: npt.NDArray[Any], recorded: int, live: int
) -> Lay | None:
    """Lay a stream whose sender measures each trial itself (trials): the one sample, renumbered.

    Args:
        place: of the trial.
        times_s: (n,) the recording's time.
        values: (n, 1 + units).
        recorded: number of the recorded trial.
        live: number that it has now.

    Returns:
        None if there is no such sample.
    """
    rows = np.flatnonzero(values[:, 0] == recorded)
    if not len(rows):
        return None
    rows = rows[:1]
    answer = values[rows].copy()
    answer[:, 0] = live
    at, stamps = times_s[rows], times_s[rows] + place.shift_s
    edges = (float(stamps[0]), float(stamps[0]))
    return Lay(place.run, place.shift_s, *edges, (float(at[0]), float(at[0])), at, stamps, answer, 1)
