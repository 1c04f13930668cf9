from __future__ import annotations

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from closedloop.loop.order import interleave


@given(
    sizes=st.lists(st.integers(1, 30), min_size=1, max_size=3),
    repeats=st.integers(1, 3),
    seed=st.integers(0, 2**32),
)
def test_each_image_stands_once_in_each_repeat(sizes: list[int], repeats: int, seed: int) -> None:
    first = np.cumsum([0, *sizes])
    images = [list(range(first[i], first[i + 1])) for i in range(len(sizes))]
    items = interleave(images, repeats, np.random.default_rng(seed))
    total = sum(sizes)
    for repeat in range(repeats):
        block = items[repeat * total : (repeat + 1) * total]
        assert {item.repeat for item in block} == {repeat}
        assert sorted(item.image for item in block) == list(range(total))
        assert all(item.image in images[item.thread] for item in block)


def test_threads_of_one_size_alternate() -> None:
    items = interleave([range(10), range(10, 20)], 1, np.random.default_rng(1))
    for pair in zip(items[::2], items[1::2], strict=True):
        assert {item.thread for item in pair} == {0, 1}


def test_which_thread_comes_first_is_left_to_chance() -> None:
    items = interleave([range(200), range(200, 400)], 1, np.random.default_rng(1))
    firsts = [item.thread for item in items[::2]]
    assert 70 < sum(firsts) < 130


def test_order_is_a_function_of_the_generator() -> None:
    one = interleave([range(40)], 1, np.random.default_rng(5))
    same = interleave([range(40)], 1, np.random.default_rng(5))
    other = interleave([range(40)], 1, np.random.default_rng(6))
    assert one == same
    assert one != other
