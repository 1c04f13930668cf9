"""Block designs and the slow visual localiser."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from closedloop.errors import TimingError
from closedloop.protocol.sections.scan_design import Block, Localiser
from closedloop.scan.design.bag import Bag
from closedloop.scan.design.clock import RunClock
from closedloop.scan.design.item import REST
from closedloop.scan.design.one_back import repeat_within
from closedloop.scan.design.order import rounds
from closedloop.scan.records import PlannedEvent

_ROUNDING = 1e-6


@dataclass(frozen=True)
class _Pace:
    """How long a block lasts and how its images follow each other, in seconds."""

    block_s: float
    rest_s: float
    image_s: float
    cycle_s: float

    @property
    def images(self) -> int:
        """Images that fit into a block; the last one's gap need not."""
        return int((self.block_s - self.image_s) / self.cycle_s + _ROUNDING) + 1


def block_design(
    spec: Block | Localiser,
    names: Mapping[str, Sequence[str]],
    clock: RunClock,
    one_back_share: float,
    rng: np.random.Generator,
) -> list[PlannedEvent]:
    """Return the events of one run, in order: images, each with the number of its block, and rests.

    Args:
        spec: the design.
        names: images of each condition in this run.
        clock: the time of the run.
        one_back_share: images of a block that are replaced by the one before; 0: none.
        rng: draws everything.

    Raises:
        TimingError: not one image fits into a block.
    """
    pace = _pace(spec, clock)
    order, rest_before = _order(spec, list(names), rng)
    bags = {condition: Bag(images, rng) for condition, images in names.items()}
    events: list[PlannedEvent] = []
    now_s = clock.start_s

    def rest() -> None:
        nonlocal now_s
        if pace.rest_s:
            events.append(PlannedEvent(now_s, pace.rest_s, "null", REST))
            now_s += pace.rest_s

    for block, condition in enumerate(order):
        if block in rest_before:
            rest()
        images = repeat_within([bags[condition].take() for _ in range(pace.images)], one_back_share, rng)
        for place, image in enumerate(images):
            onset_s = now_s + place * pace.cycle_s
            events.append(
                PlannedEvent(onset_s, pace.image_s, "image", condition, image, {"block": block + 1})
            )
        now_s += pace.block_s
    if isinstance(spec, Localiser) or spec.rest_at_end:
        rest()
    return events


def _pace(spec: Block | Localiser, clock: RunClock) -> _Pace:
    block_s, rest_s = clock.seconds(spec.block), clock.seconds(spec.rest)
    if isinstance(spec, Localiser):
        pace = _Pace(block_s, rest_s, spec.on_share / spec.rate_hz, 1 / spec.rate_hz)
    else:
        pace = _Pace(block_s, rest_s, spec.image_s, spec.image_s + spec.gap_s)
    if pace.block_s < pace.image_s - _ROUNDING:
        raise TimingError(
            "design.block",
            found=f"{block_s:g} s",
            expected=f"time for at least one image of {pace.image_s:g} s",
            remedy="Make the block longer, or its images shorter.",
        )
    return pace


def _order(
    spec: Block | Localiser, conditions: list[str], rng: np.random.Generator
) -> tuple[list[str], set[int]]:
    """Return the condition of each block, and which blocks have a rest before them."""
    if isinstance(spec, Localiser):
        order = rounds(conditions, spec.rounds, rng)
        return order, set(range(0, len(order), len(conditions)))
    if spec.order == "given":
        order = list(spec.given)
    elif spec.order == "rounds":
        order = rounds(conditions, spec.blocks, rng)
    elif spec.order == "random":
        every = conditions * spec.blocks
        order = [every[i] for i in rng.permutation(len(every))]
    else:
        order = [name for turn in range(spec.blocks) for name in conditions[:: -1 if turn % 2 else 1]]
    return order, set(range(len(order)))
