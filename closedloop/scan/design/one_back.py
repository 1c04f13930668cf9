"""The repeats of a one-back task."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from closedloop.scan.design.item import Item
from closedloop.scan.records import PlannedEvent


def with_repeats(items: Sequence[Item], share: float, rng: np.random.Generator) -> list[Item]:
    """Return the items with some images shown again right after themselves.

    Args:
        items: in order.
        share: repeats to add, relative to the images; at least one unless it is 0.
        rng: draws which.
    """
    images = [at for at, item in enumerate(items) if item.stimulus is not None]
    count = min(len(images), max(1, round(share * len(images)))) if share and images else 0
    again = {images[i] for i in rng.choice(len(images), count, replace=False)} if count else set()
    repeated: list[Item] = []
    for at, item in enumerate(items):
        repeated += [item, item] if at in again else [item]
    return repeated


def repeat_within(images: list[str], share: float, rng: np.random.Generator) -> list[str]:
    """Return a block's images with some of them replaced by the one before.

    No image is seen three times in a row, and none that was not replaced is the same as the one before. The
    first and the last image stay, so that blocks that follow each other make no repeat either.

    Args:
        images: in order.
        share: images to replace, relative to all; at least one unless it is 0, or the block is too short.
        rng: draws which.
    """
    places = [at for at in range(1, len(images) - 1) if images[at - 1] != images[at + 1]]
    repeated = list(images)
    for _ in range(max(1, round(share * len(images))) if share else 0):
        if not places:
            break
        at = places[int(rng.integers(len(places)))]
        repeated[at] = repeated[at - 1]
        places = [place for place in places if abs(place - at) > 1]
    return repeated


def marked(events: Sequence[PlannedEvent]) -> list[PlannedEvent]:
    """Return the events with ``one_back`` 1 where an image is the same as the image before, 0 elsewhere."""
    before: str | None = None
    out: list[PlannedEvent] = []
    for event in events:
        if event.kind == "image":
            again = int(event.stimulus == before)
            before = event.stimulus
            out.append(replace(event, fields={**event.fields, "one_back": again}))
        else:
            out.append(event)
    return out
