"""What every trigger must do, over each path and simulated alike; the order of the tests is that of a life."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import pytest

from closedloop.ports import KeyPress
from closedloop.scan.ports import ButtonPress, Pulse, TriggerDied, TriggerEvent
from closedloop.scan.window_buttons import WindowButtons

KEYS = ("1", "2")  # of every rig

LATE_S = 0.1  # a starved machine may wake a reader so late; benchmarks/pulse_stamps.py says how exact it is


def until(
    rig: Any, done: Callable[[list[TriggerEvent]], bool], timeout_s: float = 10.0
) -> list[TriggerEvent]:
    heard: list[TriggerEvent] = []
    end_s = rig.clock.now() + timeout_s
    while not done(heard):
        assert rig.clock.now() < end_s, f"waited {timeout_s} s in vain; heard: {heard}"
        heard += rig.source.poll()
        rig.clock.sleep(0.002)
    return heard


def after(rig: Any, seconds: float) -> list[TriggerEvent]:
    rig.clock.sleep(seconds)
    return list(rig.source.poll())


def test_it_says_what_it_is_and_how_sure(rig: Any) -> None:
    assert rig.info.path in ("simulated", "keyboard", "serial", "parallel", "lsl")
    assert rig.info.device
    assert 0 < rig.info.resolution_s < 0.01
    assert 0 <= rig.info.uncertainty_s < 0.01


def test_nothing_is_heard_while_nothing_is_sent(rig: Any) -> None:
    assert after(rig, 0.1) == []


def test_each_pulse_comes_once_in_order_at_its_time(rig: Any) -> None:
    sent = []
    for _ in range(4):
        sent.append(rig.pulse())
        rig.clock.sleep(0.03)
    heard = until(rig, lambda heard: len(heard) >= len(sent))
    heard += after(rig, 0.05)
    assert len(heard) == len(sent)
    for pulse, (before_s, after_s) in zip(heard, sent, strict=True):
        assert isinstance(pulse, Pulse)
        assert pulse.time_s >= before_s - pulse.uncertainty_s - 1e-4
        assert pulse.time_s <= after_s + pulse.uncertainty_s + LATE_S
        assert pulse.time_s <= pulse.received_s
        assert pulse.received_s <= rig.clock.now()
        assert 0 <= pulse.uncertainty_s < LATE_S
        assert math.isnan(pulse.raw_s) or abs(pulse.raw_s - pulse.time_s) < LATE_S
        assert pulse.mark


def test_it_says_up_to_when_it_listened_and_no_pulse_from_before_comes_after_that(rig: Any) -> None:
    begun_s = rig.clock.now()
    while rig.source.heard_until_s < begun_s:
        assert rig.clock.now() < begun_s + 10
        assert after(rig, 0.002) == []
    assert rig.source.heard_until_s <= rig.clock.now()
    _, sent_s = rig.pulse()
    heard: list[TriggerEvent] = []
    while rig.source.heard_until_s < sent_s + LATE_S:
        assert rig.clock.now() < sent_s + 10
        heard += after(rig, 0.002)
    assert len(heard) == 1
    assert after(rig, 0.05) == []


def test_the_subjects_keys_are_no_pulses(rig: Any) -> None:
    if not rig.has_keys:
        pytest.skip("a single wire has no keys")
    rig.pulse()
    sent = [rig.press("1"), rig.press("2")]
    heard = until(rig, lambda heard: len(heard) >= 3)
    assert [type(event) for event in heard] == [Pulse, ButtonPress, ButtonPress]
    presses = [event for event in heard if isinstance(event, ButtonPress)]
    assert [press.key for press in presses] == ["1", "2"]
    for press, (before_s, after_s) in zip(presses, sent, strict=True):
        assert before_s - press.uncertainty_s - 1e-4 <= press.time_s <= after_s + press.uncertainty_s + LATE_S
        assert press.time_s <= press.received_s


def test_a_key_in_the_window_counts_just_where_no_ear_hears_the_keyboard(rig: Any) -> None:
    assert rig.info.window_keys in ((), KEYS)
    if rig.info.path == "keyboard":
        assert rig.info.window_keys == ()
    buttons = WindowButtons(rig.source, rig.info, 1 / 60)
    pressed_s = rig.clock.now()
    buttons.press(KeyPress("_1", pressed_s))
    heard = list(buttons.poll())
    if not rig.info.window_keys:
        assert heard == []
    else:
        assert heard == [ButtonPress("1", pressed_s, 1 / 60, pressed_s)]
    assert list(buttons.poll()) == []


def test_it_can_be_closed_and_opened_again_and_hears_nothing_of_the_time_between(rig: Any) -> None:
    rig.source.close()
    rig.source.close()
    assert rig.source.poll() == () or rig.source.poll() == []
    if rig.info.path != "simulated":  # which is told what to play, and loses none of it
        rig.pulse()
    rig.info = rig.source.open()
    rig.pulse()
    heard = until(rig, bool)
    heard += after(rig, 0.05)
    assert len(heard) == 1


def test_its_death_is_said_once_and_then_nothing_more(rig: Any) -> None:
    rig.kill()
    (death,) = until(rig, bool)
    assert isinstance(death, TriggerDied)
    assert death.reason
    assert death.time_s <= rig.clock.now()
    assert after(rig, 0.05) == []
