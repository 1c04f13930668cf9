"""The order of images in a run, drawn within the limits of the protocol."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

import numpy as np

from closedloop.errors import ProtocolError
from closedloop.scan.design.item import Item

# A draw that runs into a dead end is made anew; after so many, the limits can hardly be met at all.
_ATTEMPTS = 300


def shuffled(
    items: Sequence[Item],
    rng: np.random.Generator,
    *,
    max_same: int | None,
    image_twice: bool,
    before: Sequence[Item] = (),
) -> list[Item]:
    """Return the items in a drawn order.

    Args:
        items: each as often as it is to be shown.
        rng: draws the order.
        max_same: at most so many of one condition in a row; null events break a row.
        image_twice: whether an image may come again with no other image in between.
        before: what was shown before, in order; the limits hold across the seam.

    Raises:
        ProtocolError: no order within the limits was found.
    """
    for _ in range(_ATTEMPTS):
        drawn = _attempt(items, rng, max_same, image_twice, list(before))
        if drawn is not None:
            return drawn
    limits = [] if image_twice else ["no image twice in a row"]
    limits += [] if max_same is None else [f"at most {max_same} of one condition in a row"]
    raise ProtocolError(
        "design",
        found=f"no order of {len(items)} events with {' and '.join(limits)}",
        expected="limits that an order can keep",
        remedy="Raise design.max_same, set design.image_twice to true, or show more images or conditions.",
    )


def _attempt(
    items: Sequence[Item],
    rng: np.random.Generator,
    max_same: int | None,
    image_twice: bool,
    shown: list[Item],
) -> list[Item] | None:
    """Draw item after item in proportion to what is left of each; None at a dead end."""
    left = Counter(items)
    kinds = list(left)
    start = len(shown)
    last_image = next((item.stimulus for item in reversed(shown) if item.stimulus is not None), None)
    row = _row_at_end(shown)
    for _ in range(len(items)):
        weights = np.array(
            [
                left[kind] if _allowed(kind, shown, row, last_image, max_same, image_twice) else 0
                for kind in kinds
            ],
            dtype=np.float64,
        )
        if not weights.any():
            return None
        chosen = kinds[int(rng.choice(len(kinds), p=weights / weights.sum()))]
        left[chosen] -= 1
        row = row + 1 if shown and shown[-1].condition == chosen.condition else 1
        last_image = chosen.stimulus if chosen.stimulus is not None else last_image
        shown.append(chosen)
    return shown[start:]


def _allowed(
    item: Item, shown: list[Item], row: int, last_image: str | None, max_same: int | None, image_twice: bool
) -> bool:
    if item.stimulus is None:
        return True
    if not image_twice and item.stimulus == last_image:
        return False
    return max_same is None or not shown or shown[-1].condition != item.condition or row < max_same


def _row_at_end(shown: Sequence[Item]) -> int:
    row = 0
    for item in reversed(shown):
        if item.condition != shown[-1].condition:
            break
        row += 1
    return row


def rounds(names: Sequence[str], count: int, rng: np.random.Generator, *, seam: bool = True) -> list[str]:
    """Return each name once in each of so many rounds, every round in a drawn order of its own.

    Args:
        names: what to order.
        count: how many rounds.
        rng: draws the orders.
        seam: a round does not begin with what the one before ended with, where there is more than one name.
    """
    drawn: list[str] = []
    for _ in range(count):
        order = [names[i] for i in rng.permutation(len(names))]
        if seam and drawn and len(names) > 1 and order[0] == drawn[-1]:
            other = int(rng.integers(1, len(names)))
            order[0], order[other] = order[other], order[0]
        drawn += order
    return drawn
