"""Plays a timetable at absolute times, so that no error adds up."""

from __future__ import annotations

import heapq
import itertools
import time
from collections.abc import Callable, Iterable

import pylsl

from hardware.scanner.output import Output, Sent
from hardware.scanner.timetable import Deed

_STEP_S = 0.05  # how long it may be deaf to a signal

Note = Callable[[Deed, float, Sent], None]


def wait_until(time_s: float, spin_s: float, stopped: Callable[[], bool]) -> bool:
    """Wait (blocks) until ``local_clock`` says ``time_s``; False if it was stopped before.

    It sleeps until shortly before and spins from there, since a sleep may come back late.
    """
    while (left_s := time_s - pylsl.local_clock()) > 0:
        if left_s <= spin_s:
            continue
        if stopped():
            return False
        time.sleep(min(left_s - spin_s, _STEP_S))
    return not stopped()


def play(
    deeds: Iterable[Deed],
    begin_s: float,
    output: Output,
    note: Note,
    *,
    spin_s: float = 0.0015,
    stopped: Callable[[], bool] = lambda: False,
) -> bool:
    """Send everything; nothing stays held, however this ends.

    Args:
        deeds: in order of time.
        begin_s: ``local_clock`` of the nominal first pulse.
        output: where to.
        note: told of each deed, of the time it was due, and of when it was sent.
        spin_s: how long before each deed the sleep ends.
        stopped: asked now and then.

    Returns:
        False if it was stopped.
    """
    order = itertools.count()
    agenda: list[tuple[float, int, Deed, bool]] = [
        (begin_s + deed.time_s, next(order), deed, False) for deed in deeds
    ]
    heapq.heapify(agenda)
    held: set[str | None] = set()
    try:
        while agenda:
            due_s, _, deed, release = heapq.heappop(agenda)
            if not wait_until(due_s, spin_s, stopped):
                return False
            if release:
                if deed.key in held:
                    output.up(deed.key)
                    held.discard(deed.key)
                continue
            if deed.key in held:  # pressed again before it was let go
                output.up(deed.key)
            note(deed, due_s, output.down(deed.key, deed.number))
            held.add(deed.key)
            heapq.heappush(agenda, (due_s + deed.hold_s, next(order), deed, True))
    finally:
        for key in held:
            output.up(key)
    return True
