from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field

import numpy as np
import pytest

from closedloop.ports import Clock, DisplayReport, Onset, Pixels, Showing, Shown, Stage, StageEvent
from closedloop.protocol.models import Display, Presentation
from hardware.clock import LslClock, VirtualClock
from hardware.display import VirtualDisplay, virtual_display
from hardware.stage import PsychopyStage, SimulatedStage

SHAPE = (48, 64, 3)
SLOTS = 8
DISPLAY = Display(size_px=(640, 480), refresh_hz=60.0)


@dataclass
class Bench:
    """An open stage with the means to order trials and to wait for what comes of them."""

    stage: Stage
    clock: Clock
    report: DisplayReport
    trial: int = 0
    seen: list[StageEvent] = field(default_factory=list)

    def show(
        self,
        slot: int,
        on: int = 3,
        off: int = 3,
        position: tuple[float, float] = (0, 0),
        size: float = 2.0,
        due_s: float | None = None,
    ) -> int:
        """Order a trial and return its number."""
        self.trial += 1
        self.stage.show(Showing(self.trial, slot, on, off, position, (size, size), due_s))
        return self.trial

    def until(self, done: Callable[[], bool], timeout_s: float = 10.0) -> None:
        """Poll until something is so."""
        end_s = self.clock.now() + timeout_s
        while not done():
            assert self.clock.now() < end_s, f"waited {timeout_s} s in vain; seen: {self.seen[-5:]}"
            self.seen += self.stage.poll()
            self.clock.sleep(0.002)

    def until_on(self, trial: int) -> Onset:
        self.until(lambda: any(isinstance(e, Onset) and e.trial == trial for e in self.seen))
        return next(e for e in self.seen if isinstance(e, Onset) and e.trial == trial)

    def until_shown(self, trial: int) -> Shown:
        self.until(lambda: any(isinstance(e, Shown) and e.trial == trial for e in self.seen))
        return next(e for e in self.seen if isinstance(e, Shown) and e.trial == trial)

    def wait(self, seconds: float) -> None:
        end_s = self.clock.now() + seconds
        self.until(lambda: self.clock.now() >= end_s)


def picture(seed: int) -> Pixels:
    return np.random.default_rng(seed).integers(0, 256, SHAPE, dtype=np.uint8)


@pytest.fixture(scope="session")
def screen() -> Iterator[VirtualDisplay]:
    with virtual_display((640, 480)) as display:
        yield display


@contextlib.contextmanager
def real_bench(display: Display = DISPLAY, slots: int = SLOTS) -> Iterator[Bench]:
    stage = PsychopyStage(display, Presentation(), SHAPE, slots)
    try:
        yield Bench(stage, LslClock(), stage.open())
    finally:
        stage.close()


@contextlib.contextmanager
def simulated_bench() -> Iterator[Bench]:
    clock = VirtualClock()
    stage = SimulatedStage(clock, DISPLAY, SHAPE, SLOTS)
    yield Bench(stage, clock, stage.open())
    stage.close()


@pytest.fixture(scope="session")
def real(screen: VirtualDisplay) -> Iterator[Bench]:
    """One window for all tests that leave it open."""
    with real_bench() as bench:
        yield bench


@pytest.fixture(
    params=["simulated", pytest.param("psychopy", marks=pytest.mark.display)],
)
def bench(request: pytest.FixtureRequest) -> Iterator[Bench]:
    """Both stages, open."""
    if request.param == "psychopy":
        yield request.getfixturevalue("real")
        return
    with simulated_bench() as simulated:
        yield simulated


@pytest.fixture(params=["simulated", pytest.param("psychopy", marks=pytest.mark.display)])
def own_bench(request: pytest.FixtureRequest) -> Iterator[Bench]:
    """Both stages, open, to be closed by the test."""
    if request.param == "psychopy":
        request.getfixturevalue("screen")
    with real_bench() if request.param == "psychopy" else simulated_bench() as opened:
        yield opened
