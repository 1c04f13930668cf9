"""The screen is read back as it is, and its changes are found with the time that they really had."""

from __future__ import annotations

import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pylsl
import pytest

from closedloop.errors import NoDisplayError, StageError
from hardware.display import VirtualDisplay, virtual_display
from hardware.photodiode import EdgeDetector, PatchSampler, Sample

linux = pytest.mark.skipif(not sys.platform.startswith("linux"), reason="X11")


def _feed(levels: list[float]) -> list[tuple[float, float, bool]]:
    edges = EdgeDetector(low=80, high=160)
    found = [edges.feed(Sample(n, n + 0.25, level)) for n, level in enumerate(levels)]
    return [(edge.before_s, edge.after_s, edge.bright) for edge in found if edge is not None]


def test_an_edge_lies_between_the_last_sample_before_and_the_first_after() -> None:
    assert _feed([0, 0, 255, 255, 0]) == [(1, 2.25, True), (3, 4.25, False)]


def test_the_first_level_is_no_edge_and_hysteresis_hides_what_lies_between() -> None:
    assert _feed([255, 255]) == []
    assert _feed([120, 255, 255]) == []
    assert _feed([0, 120, 0, 120, 255, 120, 255]) == [(3, 4.25, True)]


def test_middle_and_uncertainty() -> None:
    edges = EdgeDetector()
    edges.feed(Sample(1.0, 1.1, 0))
    edge = edges.feed(Sample(1.2, 1.4, 255))
    assert edge is not None
    assert (edge.time_s, edge.uncertainty_s) == (pytest.approx(1.2), pytest.approx(0.2))
    with pytest.raises(ValueError, match="below"):
        EdgeDetector(low=5, high=5)


class Painter:
    def __init__(self) -> None:
        from Xlib import display

        self._display = display.Display()
        screen = self._display.screen()
        self._window = screen.root.create_window(0, 0, 100, 80, 0, screen.root_depth, override_redirect=True)
        self._gc: Any = self._window.create_gc()
        self._window.map()

    def fill(
        self, colour: int, x: int = 0, y: int = 0, width: int = 100, height: int = 80
    ) -> tuple[float, float]:
        self._gc.change(foreground=colour)
        before_s = pylsl.local_clock()
        self._window.fill_rectangle(self._gc, x, y, width, height)
        self._display.sync()
        return before_s, pylsl.local_clock()


@pytest.fixture(scope="module")
def screen() -> Iterator[VirtualDisplay]:
    with virtual_display((100, 80)) as display:
        yield display


@linux
@pytest.mark.display
def test_pixels_have_their_colours_and_places(screen: VirtualDisplay) -> None:
    painter = Painter()
    painter.fill(0x102030)
    painter.fill(0xFF8040, x=10, y=20, width=3, height=2)
    with PatchSampler(10, 20) as sampler:
        pixels = sampler.grab((9, 19, 5, 4))
        assert pixels.shape == (4, 5, 3)
        assert pixels[0, 0].tolist() == [0x10, 0x20, 0x30]
        assert np.all(pixels[1:3, 1:4] == [0xFF, 0x80, 0x40])
        assert np.all(pixels[3] == [0x10, 0x20, 0x30])
        assert sampler.sample().level == pytest.approx(0.299 * 255 + 0.587 * 128 + 0.114 * 64)


@linux
@pytest.mark.display
def test_places_off_the_screen_and_a_missing_server_are_refused(screen: VirtualDisplay) -> None:
    with pytest.raises(StageError, match="100x80"):
        PatchSampler(100, 0)
    with PatchSampler(0, 0) as sampler, pytest.raises(StageError):
        sampler.grab((90, 0, 11, 1))
    with pytest.raises(NoDisplayError):
        PatchSampler(0, 0, ":4711")


@linux
@pytest.mark.display
def test_a_server_that_goes_is_told_as_such() -> None:
    with virtual_display((64, 64)):
        sampler = PatchSampler(0, 0)
        sampler.sample()
    with pytest.raises(NoDisplayError, match="has gone"):
        sampler.sample()
    sampler.close()


@linux
@pytest.mark.display
@pytest.mark.parametrize("suffix", [".npz", ".csv"])
def test_the_observer_sees_each_change_within_its_own_bounds(
    screen: VirtualDisplay, tmp_path: Path, suffix: str
) -> None:
    painter = Painter()
    painter.fill(0)
    out = tmp_path / f"seen{suffix}"
    command = [sys.executable, "-m", "hardware.observer", "--x", "5", "--y", "70", "--seconds", "60"]
    observer = subprocess.Popen([*command, "--out", str(out)], stdout=subprocess.PIPE, text=True)
    assert observer.stdout is not None
    assert observer.stdout.readline() == "ready\n"
    time.sleep(0.05)
    drawn = []
    for n in range(40):
        drawn.append(painter.fill(0xFFFFFF if n % 2 == 0 else 0))
        time.sleep(0.02)
    observer.terminate()
    assert observer.wait(timeout=10) == 0
    observer.stdout.close()

    if suffix == ".csv":
        before, after, level = np.loadtxt(out, delimiter=",", skiprows=1, unpack=True)
    else:
        with np.load(out) as seen:
            before, after, level = seen["t_before"], seen["t_after"], seen["level"]
            assert seen["samples"] / seen["seconds"] > 500  # thousands on a machine that is not busy
    assert level.tolist() == [255, 0] * 20
    earliest, latest = np.array(drawn).T
    # the change lies within what the painter knows and within what the observer knows: so the two overlap
    assert np.all(before <= latest + 1e-6)
    assert np.all(after >= earliest - 1e-6)
    assert np.median(after - before) < 0.005
