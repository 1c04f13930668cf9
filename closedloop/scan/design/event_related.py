"""Event-related designs: single images, null events among them, intervals between them."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence

import numpy as np

from closedloop.protocol.sections.scan_design import EventRelated
from closedloop.scan.design.clock import RunClock
from closedloop.scan.design.intervals import draw_intervals
from closedloop.scan.design.item import NOTHING, Item
from closedloop.scan.design.one_back import with_repeats
from closedloop.scan.design.order import shuffled
from closedloop.scan.records import PlannedEvent

# An onset that is so little after a multiple of the grid is on it: intervals are sums of rounded numbers.
_ON_GRID = 1e-6


def event_related(
    spec: EventRelated,
    names: Mapping[str, Sequence[str]],
    clock: RunClock,
    one_back_share: float,
    rng: np.random.Generator,
) -> list[PlannedEvent]:
    """Return the events of one run, in order.

    Args:
        spec: the design.
        names: images of each condition in this run.
        clock: the time of the run.
        one_back_share: repeats that a task adds, relative to the images of the design; 0: none.
        rng: draws everything.

    Raises:
        ProtocolError: no order keeps the limits.
    """
    items = with_repeats(_ordered(spec, names, rng), one_back_share, rng)
    gaps = draw_intervals(spec.isi, len(items), rng)
    grid_s = None if spec.onset_grid is None else clock.seconds(spec.onset_grid)
    events = []
    onset_s = clock.start_s
    for item, gap in zip(items, gaps, strict=True):
        if grid_s is not None:
            onset_s = grid_s * math.ceil(onset_s / grid_s - _ON_GRID)
        kind = "null" if item.stimulus is None else "image"
        events.append(PlannedEvent(onset_s, spec.image_s, kind, item.condition, item.stimulus))  # type: ignore[arg-type]  # mypy makes text of the two
        onset_s += spec.image_s + clock.seconds(float(gap))
    return events


def _ordered(spec: EventRelated, names: Mapping[str, Sequence[str]], rng: np.random.Generator) -> list[Item]:
    once = [Item(condition, name) for condition, images in names.items() for name in images]
    nulls = null_events(len(once) * spec.repeats, spec.null_share)
    if spec.order == "random":
        items = once * spec.repeats + [NOTHING] * nulls
        return shuffled(items, rng, max_same=spec.max_same, image_twice=spec.image_twice)
    ordered: list[Item] = []
    for turn in range(spec.repeats):
        share = nulls * (turn + 1) // spec.repeats - nulls * turn // spec.repeats
        ordered += shuffled(
            once + [NOTHING] * share,
            rng,
            max_same=spec.max_same,
            image_twice=spec.image_twice,
            before=ordered,
        )
    return ordered


def null_events(images: int, share: float) -> int:
    """Return how many null events make up that share of all events."""
    return round(images * share / (1 - share))
