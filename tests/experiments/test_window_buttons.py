"""The subject's keys on rigs where only the stimulus window sees the keyboard, and on those where an ear hears it."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import pytest
from simulated_scan import SimulatedScan, prepare_scan

from closedloop.loop.commands import Command
from closedloop.ports import KeyPress
from closedloop.scan.ports import TriggerInfo
from closedloop.scan.recorded import RecordedScan, read_scans
from closedloop.scan.status import ScanState
from closedloop.scan.window_buttons import WindowButtons
from closedloop.session import SessionReader
from hardware.clock import VirtualClock
from hardware.triggers import SimulatedTrigger

PERIOD_S = 1 / 60
ANSWER_S = 0.25
KEYS = 'task={kind: buttons, keys: ["1", "num_2"]}'


def prepare(folder: Path, *window_keys: str) -> SimulatedScan:
    session = prepare_scan(folder, KEYS)
    session.trigger = SimulatedTrigger(session.clock, window_keys=window_keys)
    return session


def press_after_each_image(session: SimulatedScan, key: str, *, heard: bool = False) -> list[float]:
    """Let the subject answer in the window, and where an ear hears the keyboard there as well; return when."""
    times: list[float] = []

    def script() -> Sequence[Command]:
        now_s = session.clock.now()
        on_s = [one.time_s for one in session.markers.sent if one.payload["event"] == "stimulus_on"]
        if len(on_s) > len(times) and now_s >= on_s[len(times)] + ANSWER_S:
            times.append(now_s)
            session.stage.press(key)
            if heard:
                session.trigger.play([], [(0.0, "1")])
        return ()

    session.operator.script = script
    return times


def recorded(session: SimulatedScan) -> list[RecordedScan]:
    with SessionReader(session.folder) as reader:
        return read_scans(reader)


@pytest.mark.parametrize(("in_window", "key"), [("_1", "1"), ("num_2", "num_2"), ("num_down", "num_2")])
def test_keys_that_only_the_window_sees_answer_and_are_sure_to_one_frame(
    tmp_path: Path, in_window: str, key: str
) -> None:
    session = prepare(tmp_path / "one", "1", "num_2")
    times = press_after_each_image(session, in_window)
    assert session.run().exit_status == "completed"
    scans = recorded(session)
    assert sum(len(scan.presses) for scan in scans) == len(times) > 10
    for scan in scans:
        assert set(scan.presses["key"]) == {key}
        assert scan.presses["uncertainty_s"].to_numpy() == pytest.approx(PERIOD_S)
        assert scan.presses["event"].notna().all()
        assert len(scan.presses) == len(scan.shown)
    pressed_s = [time_s for scan in scans for time_s in scan.presses["time_s"]]
    assert pressed_s == pytest.approx(times)


def test_a_key_that_an_ear_hears_as_well_counts_once_and_at_the_ear_s_time(tmp_path: Path) -> None:
    session = prepare(tmp_path / "one")
    times = press_after_each_image(session, "_1", heard=True)
    assert session.run().exit_status == "completed"
    scans = recorded(session)
    assert sum(len(scan.presses) for scan in scans) == len(times) > 10
    assert all(set(scan.presses["uncertainty_s"]) == {0.0005} for scan in scans)


def test_what_is_pressed_in_the_window_between_two_runs_belongs_to_none(tmp_path: Path) -> None:
    session = prepare(tmp_path / "one", "1")
    pressed_s: list[float] = []

    def script() -> Sequence[Command]:
        state = session.operator.statuses[-1].state if session.operator.statuses else None
        if state is ScanState.BETWEEN and not pressed_s:
            session.stage.press("_1")
            pressed_s.append(session.clock.now())
        return ()

    session.operator.script = script
    session.run()
    assert pressed_s
    assert not sum(len(scan.presses) for scan in recorded(session))
    with SessionReader(session.folder) as reader:
        events = reader.table("events")
    unarmed = events[events["kind"] == "unarmed_press"]
    assert unarmed["time_s"].tolist() == pytest.approx(pressed_s)


@pytest.mark.parametrize(
    ("protocol", "in_window"),
    [
        ("Return", "enter"),
        ("space", "space"),
        ("KP_5", "num_5"),
        ("num_5", "num_begin"),
        ("Left", "left"),
        ("G", "g"),
        ("Control_L", "lctrl"),
        ("Prior", "pageup"),
    ],
)
def test_a_key_is_known_by_each_of_its_names(protocol: str, in_window: str) -> None:
    assert presses(protocol, in_window) == [protocol]


@pytest.mark.parametrize(("protocol", "in_window"), [("1", "num_1"), ("KP_1", "_1"), ("b", "c")])
def test_another_key_is_not_that_key(protocol: str, in_window: str) -> None:
    assert presses(protocol, in_window) == []


def presses(protocol: str, in_window: str) -> list[str]:
    info = TriggerInfo("serial", "a port", 1e-6, 1e-3, window_keys=(protocol,))
    trigger = SimulatedTrigger(VirtualClock())
    buttons = WindowButtons(trigger, info, PERIOD_S)
    buttons.press(KeyPress(in_window, 7.0))
    found = [getattr(event, "key", "") for event in buttons.poll()]
    assert buttons.poll() == []
    return found
