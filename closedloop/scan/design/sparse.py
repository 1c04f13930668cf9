"""Sparse designs: images in the silence between the end of one acquisition and the start of the next."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence

import numpy as np

from closedloop.protocol.sections.scan_design import Sparse
from closedloop.scan.design.bag import Bag
from closedloop.scan.design.clock import RunClock
from closedloop.scan.design.event_related import null_events
from closedloop.scan.design.item import NOTHING, Item
from closedloop.scan.design.order import shuffled
from closedloop.scan.records import PlannedEvent

_ROUNDING = 1e-6


def sparse(
    spec: Sparse,
    names: Mapping[str, Sequence[str]],
    clock: RunClock,
    acquisition_s: float,
    rng: np.random.Generator,
) -> list[PlannedEvent]:
    """Return the events of one run, in order; images of one event have its number.

    Args:
        spec: the design; it fits the silence, which the protocol's checks see to.
        names: images of each condition in this run.
        clock: the time of the run.
        acquisition_s: how long a volume is acquired from its pulse on.
        rng: draws everything.

    Raises:
        ProtocolError: no order keeps the limits.
    """
    groups = [
        Item(condition, condition)  # its images are drawn when its turn comes
        for condition, images in names.items()
        for _ in range(math.ceil(len(images) * spec.repeats / spec.images_per_event))
    ]
    nulls = [NOTHING] * null_events(len(groups), spec.null_share)
    order = shuffled(groups + nulls, rng, max_same=spec.max_same, image_twice=True)
    bags = {condition: Bag(images, rng) for condition, images in names.items()}
    cycle_s = spec.image_s + spec.gap_s
    first_volume = math.ceil(clock.start_s / clock.tr_s - _ROUNDING)
    events: list[PlannedEvent] = []
    for number, item in enumerate(order):
        late_s = float(rng.uniform(0, spec.jitter_s)) if spec.jitter_s else 0.0
        volume = first_volume + number * spec.every
        onset_s = volume * clock.tr_s + acquisition_s + spec.delay_s + late_s
        if item.stimulus is None:
            events.append(PlannedEvent(onset_s, spec.event_s, "null", item.condition))
            continue
        for place in range(spec.images_per_event):
            image, fields = bags[item.condition].take(), {"event": number + 1}
            at_s = onset_s + place * cycle_s
            events.append(PlannedEvent(at_s, spec.image_s, "image", item.condition, image, fields))
    return events
