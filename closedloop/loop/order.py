"""In which order the images of a generation are shown."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np


@dataclass(frozen=True)
class Item:
    """One image to be shown once: which thread it belongs to, and which of its repeats this is."""

    thread: int
    image: int
    repeat: int


def interleave(
    images_of_thread: Sequence[Sequence[int]], repeats: int, rng: np.random.Generator
) -> tuple[Item, ...]:
    """Order all images of a generation, so that threads alternate and nothing is predictable.

    Each repeat is a block in which every image stands once. Within a block each thread's images are
    permuted, and the threads are dealt out evenly: their shares never drift apart, even if they have
    different numbers of images.

    Args:
        images_of_thread: image numbers of each thread, references among them.
        repeats: how often each image is shown.
        rng: drawn from; the order is a function of it.
    """
    items: list[Item] = []
    for repeat in range(repeats):
        places: list[tuple[float, float, Item]] = []
        for thread, images in enumerate(images_of_thread):
            shuffled = rng.permutation(np.asarray(images, dtype=np.int64))
            for position, image in enumerate(shuffled):
                # evenly spread over the block; the tie between threads is broken by chance
                place = (position + 0.5) / len(shuffled)
                places.append((place, float(rng.random()), Item(thread, int(image), repeat)))
        items.extend(item for _, _, item in sorted(places, key=lambda entry: entry[:2]))
    return tuple(items)
