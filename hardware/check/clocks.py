"""Clocks: what LSL's clock is based on, and how far the others are from it."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence

import pylsl

from hardware.check.finding import Finding, Verdict, at_most, told

SAME_BASE_MS = 1.0
"""A clock within this of LSL's is its base."""

RATE_PPM = 200.0
"""LSL's clock and the machine's monotonic one may run apart by this: crystals differ by less."""

_BRACKETS = 200
_RATE_OVER_S = 0.5


def judge_clocks(*, psychopy: bool = True) -> Sequence[Finding]:
    """Compare all clocks of this machine with LSL's (blocks half a second).

    Args:
        psychopy: look at PsychoPy's clock, too, which takes the time of its import.
    """
    others: dict[str, Callable[[], float]] = {
        "time.monotonic": time.monotonic,
        "time.perf_counter": time.perf_counter,
        "time.time": time.time,
    }
    if psychopy:
        from psychopy.clock import getTime

        others["psychopy.clock"] = getTime
    before = {name: offset_s(clock) for name, clock in others.items()}
    time.sleep(_RATE_OVER_S)
    after = {name: offset_s(clock) for name, clock in others.items()}
    rate_ppm = abs(after["time.monotonic"] - before["time.monotonic"]) / _RATE_OVER_S * 1e6
    return [
        _base(after),
        at_most(
            "LSL clock against monotonic",
            rate_ppm,
            RATE_PPM,
            "ppm",
            "This machine's clocks do not agree; see docs/check.md.",
        ),
        *(told(f"{name} minus LSL clock", _offset_text(offset)) for name, offset in after.items()),
    ]


def offset_s(clock: Callable[[], float]) -> float:
    """Return a clock minus LSL's, in seconds.

    LSL's clock is read before and after the other one; of many such brackets the narrowest counts.
    """
    best = (float("inf"), 0.0)
    for _ in range(_BRACKETS):
        before_s = pylsl.local_clock()
        other_s = clock()
        after_s = pylsl.local_clock()
        best = min(best, (after_s - before_s, other_s - (before_s + after_s) / 2))
    return best[1]


def _base(offsets_s: dict[str, float]) -> Finding:
    near = [name for name, offset in offsets_s.items() if abs(offset) * 1e3 <= SAME_BASE_MS]
    wall = "time.time" in near
    return Finding(
        "base of the LSL clock",
        " = ".join(near) or "a clock of its own",
        "",
        Verdict.BAD if wall else Verdict.OK,
        "a clock that nobody sets, not the wall clock",
        "This build of liblsl follows the wall clock; install the pylsl that the project names.",
    )


def _offset_text(offset_s: float) -> str:
    if abs(offset_s) < 1.0:
        return f"{offset_s * 1e3:.4f} ms"
    return f"{offset_s:.3f} s"
