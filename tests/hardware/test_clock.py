from __future__ import annotations

import time

import pylsl
import pytest

from closedloop.ports import Clock
from hardware.clock import LslClock, VirtualClock


def both() -> list[Clock]:
    return [LslClock(), VirtualClock(start_s=5.0)]


@pytest.mark.parametrize("clock", both(), ids=["lsl", "virtual"])
def test_sleep_moves_now_on_by_at_least_as_much(clock: Clock) -> None:
    before_s = clock.now()
    clock.sleep(0.02)
    assert 0.02 <= clock.now() - before_s + 1e-9 < 1.0


@pytest.mark.parametrize("clock", both(), ids=["lsl", "virtual"])
def test_a_negative_sleep_neither_fails_nor_goes_back(clock: Clock) -> None:
    before_s = clock.now()
    clock.sleep(-1.0)
    assert clock.now() >= before_s


def test_lsl_clock_is_lsl_local_clock() -> None:
    before_s = pylsl.local_clock()
    now_s = LslClock().now()
    assert before_s <= now_s <= pylsl.local_clock()


def test_virtual_clock_starts_where_told_and_takes_no_real_time() -> None:
    clock = VirtualClock(start_s=100.0)
    assert clock.now() == 100.0
    real_before = time.monotonic()
    clock.sleep(3600.0)
    assert clock.now() == 3700.0
    assert time.monotonic() - real_before < 0.5


def test_virtual_clock_refuses_a_time_that_is_no_number() -> None:
    with pytest.raises(ValueError, match="nan"):
        VirtualClock().sleep(float("nan"))
