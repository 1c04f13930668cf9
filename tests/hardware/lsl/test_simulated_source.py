"""What only the simulated source has: responses that hang on nothing but seed, trial and image."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from closedloop.ports import Chunk, Marker, Pixels, StreamInfo, StreamOverflow
from hardware.clock import LslClock, VirtualClock
from hardware.lsl.simulated import SimulatedMarkers, SimulatedSource

RATES = StreamInfo("response", "rates", "sim", "rates", "sim", 1000.0, 3, "float32", ("a", "b", "c"))
INFOS = {
    "rates": RATES,
    "counts": replace(RATES, kind="counts"),
    "spikes": replace(RATES, kind="spikes", nominal_hz=0.0, channels=1, dtype="int32"),
    "trials": replace(RATES, kind="trials", nominal_hz=0.0, channels=4, dtype="float64"),
}


def rates_hz(trial: int, image: Pixels) -> np.ndarray:
    return 20.0 + trial % 3 + image.mean() * np.arange(1, 4) / 10


def image(seed: int) -> Pixels:
    return np.random.default_rng(seed).integers(0, 256, (8, 8, 3), dtype=np.uint8)


def session(kind: str, start_s: float, interval_s: float, step_s: float, seed: int = 5) -> dict[int, Any]:
    """Show five trials; return what a scorer would take of each."""
    clock = VirtualClock(start_s)
    source = SimulatedSource(clock, INFOS[kind], rates_hz, seed=seed, poisson=True)
    source.open()
    events: list[Any] = []
    onsets_s = {}
    for trial in range(5):
        onsets_s[trial] = clock.now()
        source.on_show(trial, image(trial), clock.now(), clock.now() + 0.1)
        until_s = clock.now() + interval_s
        while clock.now() < until_s:
            events.extend(source.poll())
            clock.sleep(step_s)
    clock.sleep(0.5)
    events.extend(source.poll())
    chunks = [event for event in events if isinstance(event, Chunk)]
    assert [chunk.sequence for chunk in chunks] == list(range(len(chunks)))
    stamps_s = np.concatenate([chunk.stamps_raw_s for chunk in chunks])
    values = np.concatenate([chunk.values for chunk in chunks])
    assert (np.diff(stamps_s) >= 0).all()
    answers: dict[int, Any] = {}
    for trial, onset_s in onsets_s.items():
        within = (stamps_s > onset_s + 0.05) & (stamps_s <= onset_s + 0.2)
        if kind == "spikes":
            fired = values[within & (values[:, 0] >= 0), 0]
            answers[trial] = np.bincount(fired, minlength=3).tolist()
        elif kind == "trials":
            (row,) = values[values[:, 0] == trial]
            answers[trial] = row[1:].tolist()
        else:
            answers[trial] = values[within].astype(np.float64).mean(axis=0).tolist()
    return answers


@pytest.mark.parametrize("kind", INFOS)
def test_the_same_trial_and_image_evoke_the_same_whenever_shown(kind: str) -> None:
    once = session(kind, 1000.0, 0.2, 0.003)
    again = session(kind, 77.123, 0.31, 0.0171)
    if kind == "counts":
        for trial in once:  # a count per bin is no multiple of a power of two
            np.testing.assert_allclose(once[trial], again[trial], rtol=1e-6)
    else:
        assert once == again
    assert len({str(answer) for answer in once.values()}) == 5
    assert session(kind, 1000.0, 0.2, 0.003, seed=6) != once


def test_rates_are_what_the_subject_says() -> None:
    clock = VirtualClock()
    source = SimulatedSource(clock, RATES, lambda trial, image: [10.0, 20.0, 30.0], baseline_hz=2.0)
    source.open()
    clock.sleep(0.1)
    source.poll()
    onset_s = clock.now()
    source.on_show(0, image(0), onset_s, onset_s + 0.1)
    clock.sleep(0.5)
    chunks = [event for event in source.poll() if isinstance(event, Chunk)]
    stamps_s = np.concatenate([chunk.times_s for chunk in chunks])
    values = np.concatenate([chunk.values for chunk in chunks])
    assert (values[(stamps_s > onset_s + 0.05) & (stamps_s < onset_s + 0.2)] == [10, 20, 30]).all()
    assert (values[(stamps_s < onset_s + 0.045) | (stamps_s > onset_s + 0.202)] == 2).all()


def test_an_order_that_comes_too_late_is_an_error_not_another_response() -> None:
    clock = VirtualClock()
    source = SimulatedSource(clock, RATES, rates_hz)
    source.open()
    clock.sleep(0.2)
    source.poll()
    with pytest.raises(RuntimeError, match="trial 4"):
        source.on_show(4, image(0), clock.now() - 0.1, clock.now())


def test_an_overflow_leaves_a_hole_that_it_names() -> None:
    clock = VirtualClock()
    source = SimulatedSource(clock, RATES, rates_hz)
    source.open()
    source.overflow(2)
    events: list[Any] = []
    for _ in range(5):
        clock.sleep(0.05)
        events.extend(source.poll())
    assert [event.lost_chunks for event in events if isinstance(event, StreamOverflow)] == [1, 1]
    assert [event.sequence for event in events if isinstance(event, Chunk)] == [2, 3, 4]


def test_fixation_breaks_on_request() -> None:
    clock = VirtualClock()
    eye = replace(RATES, role="fixation", kind="fixation", channels=1, channel_names=("fixation",))
    source = SimulatedSource(clock, RATES, rates_hz, fixation=eye)
    assert [info.role for info in source.open()] == ["response", "fixation"]
    clock.sleep(0.1)
    source.break_fixation(0.05)
    clock.sleep(0.2)
    chunks = [event for event in source.poll() if isinstance(event, Chunk) and event.role == "fixation"]
    values = np.concatenate([chunk.values[:, 0] for chunk in chunks])
    assert (values == 0).sum() == pytest.approx(50, abs=1)
    assert set(np.unique(values)) == {0, 1}


def test_it_runs_on_the_real_clock_too(wait_until: Callable[..., float]) -> None:
    source = SimulatedSource(LslClock(), RATES, rates_hz)
    source.open()
    assert wait_until(lambda: any(isinstance(event, Chunk) for event in source.poll())) < 2.0


def test_markers_are_kept() -> None:
    markers = SimulatedMarkers()
    markers.send(Marker(1.0, {"event": "session_start"}))
    assert [marker.payload["event"] for marker in markers.sent] == ["session_start"]
