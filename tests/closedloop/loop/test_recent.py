from __future__ import annotations

import numpy as np

from closedloop.loop.recent import RecentSamples
from closedloop.ports import Chunk


def chunk(start: int, n: int, segment: int = 0, correction_s: float = 0.0) -> Chunk:
    stamps = np.arange(start, start + n) / 10
    return Chunk("response", segment, 0, stamps, stamps[:, None] * 100, correction_s, 0.0, 0.0)


def test_a_span_comes_with_a_neighbour_on_each_side() -> None:
    recent = RecentSamples()
    for start in range(0, 50, 10):
        recent.add(chunk(start, 10))
    times, values, _ = recent.between(2.0, 2.5)
    assert times[0] == 1.0  # the chunk before
    assert times[-1] == 3.9  # the chunk after
    assert (values[:, 0] == times * 100).all()


def test_stamps_are_corrected() -> None:
    recent = RecentSamples()
    recent.add(chunk(0, 10, correction_s=1000.0))
    times, _, _ = recent.between(1000.0, 1001.0)
    assert times[0] == 1000.0
    assert recent.newest_s == 1000.9


def test_forgetting_keeps_the_last_chunk_before() -> None:
    recent = RecentSamples()
    for start in range(0, 50, 10):
        recent.add(chunk(start, 10))
    recent.forget(before_s=3.0)
    times, _, _ = recent.between(3.0, 4.0)
    assert times[0] == 2.0
    empty = RecentSamples()
    empty.forget(before_s=3.0)
    assert len(empty.between(0.0, 1.0)[0]) == 0


def test_segments_are_told_apart() -> None:
    recent = RecentSamples()
    recent.add(chunk(0, 10, segment=0))
    recent.add(chunk(10, 10, segment=1))
    _, _, segments = recent.between(0.5, 1.5)
    assert set(segments) == {0, 1}
