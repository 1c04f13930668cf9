"""Each fault of the sender, as a real LSL inlet sees it."""

from __future__ import annotations

import time
import uuid
from collections.abc import Iterator

import numpy as np
import pylsl
import pytest

from hardware.subject.outlet import FailingOutlet

pytestmark = pytest.mark.lsl


class Line:
    """A sender of a counter, 100 samples a second, and its receiver."""

    def __init__(self) -> None:
        self.source_id = f"outlet-{uuid.uuid4().hex}"
        self.outlet = FailingOutlet(
            lambda: pylsl.StreamInfo(
                "counter", "test", 2, pylsl.IRREGULAR_RATE, pylsl.cf_float32, self.source_id
            )
        )
        self.info = self.resolve()
        self.inlet = pylsl.StreamInlet(self.info, recover=True)
        self.inlet.open_stream(timeout=5)
        self.count = 0

    def resolve(self) -> pylsl.StreamInfo:
        found = pylsl.resolve_byprop("source_id", self.source_id, minimum=1, timeout=5)
        assert found
        return found[0]

    def run(self, seconds: float) -> tuple[np.ndarray, np.ndarray]:
        """Send for a time; return what came: counters (n,) and, for each, when it came minus its stamp."""
        values, delays = [], []
        end = time.monotonic() + seconds
        while time.monotonic() < end:
            self.outlet.send(np.full((1, 2), self.count, np.float32), [pylsl.local_clock()], keep=1)
            self.count += 1
            time.sleep(0.01)
            got, stamps = self.inlet.pull_chunk(timeout=0.0)
            values += got
            delays += [pylsl.local_clock() - stamp for stamp in stamps]
        return np.array(values).reshape(-1, 2), np.array(delays)


@pytest.fixture
def line() -> Iterator[Line]:
    made = Line()
    values, _ = made.run(0.3)
    assert len(values) > 10
    yield made
    made.inlet.close_stream()


def test_a_gap_loses_samples_and_nothing_else(line: Line) -> None:
    first = line.count
    line.outlet.gap(0.3)
    values, delays = line.run(0.6)
    seen = np.concatenate([[first - 1], values[:, 0][values[:, 0] >= first]])
    jumps = np.diff(seen)
    assert jumps.max() > 15
    assert np.sum(jumps > 1) == 1
    assert np.median(delays) < 0.05


def test_a_hang_delays_samples_and_loses_none(line: Line) -> None:
    line.outlet.hang(0.3)
    values, delays = line.run(0.6)
    assert np.all(np.diff(values[:, 0]) == 1)
    assert 0.2 < delays.max() < 0.5


def test_nan_leaves_the_leading_channels(line: Line) -> None:
    line.outlet.nan(0.1)
    values, _ = line.run(0.3)
    assert np.isfinite(values[:, 0]).all()
    assert 3 <= np.isnan(values[:, 1]).sum() < len(values)
    assert np.isfinite(values[-1, 1])


@pytest.mark.parametrize("seconds", [0.0, 0.3])
def test_a_dropped_stream_comes_back_under_its_source_id_as_another_instance(
    line: Line, seconds: float
) -> None:
    line.outlet.drop(seconds)
    # liblsl's own recovery takes it up again
    values = np.empty((0, 2))
    for _ in range(20):
        values, _ = line.run(0.5)
        if len(values):
            break
    assert len(values)
    assert line.resolve().uid() != line.info.uid()
