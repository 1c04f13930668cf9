from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from closedloop.errors import TriggerError
from closedloop.scan.ports import ButtonPress, Pulse, TriggerDied
from hardware.clock import VirtualClock
from hardware.triggers import SimulatedTrigger
from hardware.triggers.edges import EdgeFinder
from hardware.triggers.parallel import ParallelPin
from hardware.triggers.serial_bytes import SerialBytesEar
from hardware.triggers.xclock import ServerProbe, ServerTime, fit_server_clock, unwrap_s


def probes(offset_s: float, tick_s: float, count: int = 30) -> list[ServerProbe]:
    """A server whose clock is ``offset_s`` behind and moves in ticks, asked at random instants."""
    rng = np.random.default_rng(0)
    asked_s = 5000 + np.cumsum(rng.uniform(0.001, 0.2, count))
    trips_s = rng.uniform(0.0001, 0.0004, count)
    shown_s = np.floor((asked_s + trips_s / 2 - offset_s) / tick_s) * tick_s
    return [
        ServerProbe(float(a), float(a + t), float(s))
        for a, t, s in zip(asked_s, trips_s, shown_s, strict=True)
    ]


@pytest.mark.parametrize("tick_s", [0.001, 0.004, 0.016])
def test_a_server_on_the_same_clock_is_known_with_its_ticks(tick_s: float) -> None:
    clock = fit_server_clock(probes(0.0, tick_s))
    assert clock is not None
    assert clock.same
    assert clock.tick_s == tick_s
    assert clock.local(100.0, 200.0) == pytest.approx((100 + tick_s / 2, tick_s / 2))


@pytest.mark.parametrize("offset_s", [-3.2, 0.0123, 40_000.0])
def test_a_server_on_another_clock_is_measured(offset_s: float) -> None:
    clock = fit_server_clock(probes(offset_s, 0.001))
    assert clock is not None
    assert not clock.same
    assert abs(clock.offset_s - offset_s) <= clock.hidden_s + 1e-9
    assert clock.hidden_s < 0.0005
    time_s, uncertainty_s = clock.local(7.0, 1e9)
    assert abs(time_s - (7.0005 + offset_s)) <= uncertainty_s


def test_an_event_is_not_later_than_it_was_heard_of() -> None:
    clock = fit_server_clock(probes(0.0, 0.001))
    assert clock is not None
    time_s, uncertainty_s = clock.local(100.0, 100.0002)
    assert (time_s, uncertainty_s) == pytest.approx((100.0001, 0.0001))


def test_a_clock_that_steps_is_measured_anew() -> None:
    server = ServerTime(5000.0)
    for probe in probes(0.0, 0.001):
        server.add(probe)
    assert server.clock is not None
    assert server.clock.same
    for probe in probes(2.0, 0.001):
        server.add(probe)
    assert server.clock.offset_s == pytest.approx(2.0, abs=0.001)


@given(st.integers(0, 1 << 45), st.floats(-1e6, 1e6))
def test_stamps_of_32_bits_are_told_apart(true_ms: int, off_s: float) -> None:
    assert unwrap_s(true_ms % (1 << 32), true_ms / 1000 + off_s) == true_ms / 1000


def test_a_line_gives_a_pulse_for_each_rise_and_none_for_being_high_at_first() -> None:
    finder = EdgeFinder("cts")
    levels = [True, True, False, False, True, True, False, True]
    found = [finder.look(place, place + 0.25, high) for place, high in enumerate(levels)]
    pulses = [pulse for pulse in found if pulse is not None]
    assert [pulse.time_s for pulse in pulses] == [3.625, 6.625]
    assert all(pulse.uncertainty_s == 0.625 for pulse in pulses)
    assert all(math.isnan(pulse.raw_s) for pulse in pulses)


@pytest.mark.parametrize(
    ("looks", "pulses"),
    [
        ([(False, 0), (False, 2), (False, 2)], 1),  # came and went between two looks
        ([(False, 0), (True, 0), (True, 1), (False, 2), (False, 2)], 1),  # counted after it was seen
        ([(False, 0), (True, 1), (True, 3), (False, 4)], 2),  # went and came
        ([(False, 7), (False, 7), (True, 8)], 1),
    ],
)
def test_a_drivers_count_shows_pulses_that_no_look_met(looks: list[tuple[bool, int]], pulses: int) -> None:
    finder = EdgeFinder("cts")
    found = [finder.look(place, place + 0.1, high, count) for place, (high, count) in enumerate(looks)]
    assert sum(pulse is not None for pulse in found) == pulses


@pytest.mark.parametrize(
    ("port", "pin", "found"),
    [("/dev/parport7", 10, "parport7"), ("/dev/parport0", 2, "pin 2"), ("0x378", 10, "0x378")],
)
def test_a_parallel_port_that_cannot_be_is_one_error(port: str, pin: int, found: str) -> None:
    with pytest.raises(TriggerError, match=found):
        ParallelPin(port, pin).open()


def test_a_serial_port_that_is_not_there_is_one_error() -> None:
    with pytest.raises(TriggerError, match="ttyNONE"):
        SerialBytesEar("/dev/ttyNONE", 9600, None).open()


def test_bytes_that_come_together_are_put_apart_by_their_time_on_the_wire() -> None:
    ear = SerialBytesEar("/dev/null", 1000, None, ["1"])
    heard: list[Pulse | ButtonPress] = []
    ear._heard(b"51", 100.0, heard.append)
    pulse, press = heard
    assert isinstance(pulse, Pulse)
    assert isinstance(press, ButtonPress)
    assert (pulse.time_s, press.time_s) == pytest.approx((99.98, 99.99))
    assert pulse.mark == "0x35"
    assert press.key == "1"


def test_the_simulated_trigger_plays_what_it_is_given_and_more() -> None:
    clock = VirtualClock(50.0)
    trigger = SimulatedTrigger(clock, [1.0, 3.0], [(2.0, "1")], latency_s=0.5)
    trigger.open()
    clock.sleep(1.4)
    assert trigger.poll() == []
    clock.sleep(2.2)
    heard = trigger.poll()
    assert [(type(event), event.time_s) for event in heard] == [
        (Pulse, 51.0),
        (ButtonPress, 52.0),
        (Pulse, 53.0),
    ][: len(heard)]
    assert len(heard) == 3
    trigger.play([0.0, 5.0])
    trigger.die(after_s=2.0)
    clock.sleep(9.0)
    assert [type(event) for event in trigger.poll()] == [Pulse, TriggerDied]
    trigger.close()


def test_a_stopped_simulated_scanner_sends_nothing_more() -> None:
    clock = VirtualClock()
    trigger = SimulatedTrigger(clock, [1.0, 2.0, 3.0])
    trigger.open()
    clock.sleep(1.5)
    trigger.stop()
    clock.sleep(5.0)
    assert len(trigger.poll()) == 1
