"""Trials shown again come on with the recorded images, at the recorded spacing, in whole frames."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from closedloop.errors import SessionError
from closedloop.ports import Pixels
from closedloop.protocol.models import Display
from closedloop.session import SessionReader
from experiments.replay_screen import (
    TrialOnScreen,
    looks_of,
    orders,
    pixels_of,
    play,
    show_session,
    trials_of,
)
from hardware.clock import VirtualClock
from hardware.stage.simulated import SimulatedStage, StageFault

GOLDEN = Path(__file__).resolve().parents[1] / "golden" / "schema-1" / "rates"
PERIOD_S = 1 / 60


def replay(
    trials: list[TrialOnScreen], reader: SessionReader, refresh_hz: float, speed: float
) -> tuple[int, list]:
    clock = VirtualClock()
    seen: list[tuple[float, float, Pixels]] = []
    pixels = pixels_of(reader)
    stage = SimulatedStage(
        clock,
        Display(refresh_hz=refresh_hz),
        pixels(trials[0].image).shape,
        on_show=lambda _n, image, on_s, off_s: seen.append((on_s, off_s, image)),
    )
    return play(stage, clock, trials, pixels, speed=speed), seen


@pytest.mark.parametrize(("refresh_hz", "speed"), [(60, 1.0), (75, 1.0), (60, 4.0)])
def test_images_come_on_again_at_their_spacing(refresh_hz: float, speed: float) -> None:
    with SessionReader(GOLDEN) as reader:
        trials = trials_of(reader, looks_of(reader), skip_invalid=False)
        assert len(trials) == len(reader.table("trials"))
        shown, seen = replay(trials, reader, refresh_hz, speed)
        assert shown == len(trials) == len(seen)
        for trial, (_, _, image) in zip(trials, seen, strict=True):
            assert np.array_equal(image, reader.pixels(trial.image))
    again = np.array([on_s for on_s, _, _ in seen])
    recorded = np.array([trial.onset_s for trial in trials]) / speed
    apart = (again - again[0]) - (recorded - recorded[0])
    assert np.abs(apart).max() <= 0.51 / refresh_hz
    assert [off - on for on, off, _ in seen] == pytest.approx(
        [max(1, round(trial.on_s * refresh_hz / speed)) / refresh_hz for trial in trials], abs=1e-6
    )


def test_invalid_trials_leave_their_time_empty() -> None:
    with SessionReader(GOLDEN) as reader:
        looks = looks_of(reader)
        everything = trials_of(reader, looks, skip_invalid=False)
        valid = trials_of(reader, looks, skip_invalid=True)
    assert 0 < len(valid) < len(everything)
    assert set(valid) <= set(everything)
    frames = list(orders(valid, PERIOD_S, 1.0))
    total = sum(order.on_frames + order.off_frames for order in frames[:-1])
    assert total == round((valid[-1].onset_s - valid[0].onset_s) / PERIOD_S)


def test_rounding_never_adds_up() -> None:
    trials = [TrialOnScreen(n, 0, n * 0.1007, 0.05, 0.0507, (0.0, 0.0), (2.0, 2.0)) for n in range(1000)]
    frames = list(orders(trials, PERIOD_S, 1.0))
    begins = np.cumsum([0] + [order.on_frames + order.off_frames for order in frames[:-1]])
    wanted = np.array([trial.onset_s for trial in trials]) / PERIOD_S
    assert np.abs(begins - wanted).max() <= 0.5


def test_a_closed_window_ends_it() -> None:
    with SessionReader(GOLDEN) as reader:
        trials = trials_of(reader, looks_of(reader), skip_invalid=False)
        clock = VirtualClock()
        pixels = pixels_of(reader)
        stage = SimulatedStage(clock, Display(), pixels(trials[0].image).shape)
        stage.fail(StageFault.CLOSED_BY_HAND, after_s=1.5)
        assert 2 <= play(stage, clock, trials, pixels) < len(trials)


def test_nothing_to_show_is_said() -> None:
    with pytest.raises(SessionError, match="no trial that was shown from"):
        show_session(GOLDEN, from_s=1e6)


@pytest.mark.display
def test_on_a_real_window() -> None:
    from hardware.display import virtual_display

    with virtual_display():
        assert show_session(GOLDEN, speed=4.0) > 30
