"""What is concluded from silence stands on what the reader's own thread says it has listened to."""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Iterator

import numpy as np
import pytest

from closedloop.protocol.sections.scan import Trigger
from closedloop.scan.ports import Pulse, TriggerDied, TriggerEvent, TriggerNotice
from hardware.clock import LslClock
from hardware.lsl.messages import Heartbeat
from hardware.scanner.pseudo_serial import PseudoSerialOutput
from hardware.triggers import TriggerReader
from hardware.triggers.ear import CHECK_S
from hardware.triggers.listening import DEAF_S, LONGEST_S, Listening
from hardware.triggers.quiet import CATCH_UP_S, BehindWatch, QuietWatch

SOON_S = 0.05  # within 0.1 TR of a TR of 0.5 s: the room that a missed pulse leaves between 1.4 and 1.5 TR


def told(looks_s: list[float]) -> list[float]:
    return list(dict.fromkeys(heartbeat.heard_until_s for heartbeat in heartbeats(looks_s)))


def heartbeats(looks_s: list[float]) -> list[Heartbeat]:
    heard: list[Heartbeat] = []
    listening = Listening(heard.append)
    for look_s in looks_s:
        listening.nothing_waits(look_s)
    return heard


@pytest.mark.parametrize("every_s", [0.0005, 0.005, CHECK_S])
def test_an_ear_that_looks_all_the_time_is_believed_at_once_and_not_told_of_too_often(every_s: float) -> None:
    looks_s = (100 + np.arange(0, 1, every_s)).tolist()
    heard_s = told(looks_s)
    assert heard_s[0] == looks_s[0]
    assert looks_s[-1] - heard_s[-1] <= CHECK_S
    assert max(np.diff(heard_s)) < SOON_S
    assert len(heard_s) <= 2 / CHECK_S + 1


@pytest.mark.parametrize("away_s", [0.3, 1.3, 60.0])
def test_an_ear_that_was_held_up_listens_for_as_long_before_it_speaks_again(away_s: float) -> None:
    back_s = 10 + away_s
    heard_s = told([10.0, *(back_s + np.arange(0, 70, CHECK_S)).tolist()])
    assert heard_s[0] == 10.0
    sure_s = back_s + min(away_s, LONGEST_S)
    assert sure_s <= heard_s[1] <= sure_s + CHECK_S


def stuttering(listens_s: float, away_s: float, for_s: float) -> list[float]:
    looks_s, at_s = [], 10.0
    while at_s < 10 + for_s:
        looks_s += (at_s + np.arange(0, listens_s, CHECK_S)).tolist()
        at_s += listens_s + away_s
    return looks_s


@pytest.mark.parametrize(("listens_s", "away_s"), [(0.2, 0.25), (0.02, 0.25), (0.1, 1.0)])
def test_an_ear_that_is_held_up_again_and_again_is_late_and_neither_mute_nor_taken_for_dead(
    listens_s: float, away_s: float
) -> None:
    said = heartbeats(stuttering(listens_s, away_s, 60.0))
    lags_s = [heartbeat.time_s - heartbeat.heard_until_s for heartbeat in said]
    assert max(lags_s) < 12
    assert said[-1].heard_until_s > 60
    quiet, behind = QuietWatch(), BehindWatch()
    news: list[tuple[float, str]] = []
    told, at = [], 0
    for now_s in np.arange(10, 70, 0.01).tolist():
        while at + 1 < len(said) and said[at + 1].time_s <= now_s:
            at += 1
        if what := quiet.look(now_s, said[at].time_s):
            news.append((now_s, what))
        if behind.look(now_s, lags_s[at]):
            told.append(now_s)
    assert news == []
    assert len(told) == 1
    assert told[0] < 10 + 3 * CATCH_UP_S


@pytest.mark.parametrize("away_s", [0.25, 3.0, 20.0])
def test_an_ear_that_was_held_up_once_is_not_said_to_be_so_again_and_again(away_s: float) -> None:
    looks_s = np.arange(0, 60, CHECK_S)
    said = heartbeats([look_s for look_s in looks_s.tolist() if not 10 < look_s < 10 + away_s])
    watch = BehindWatch()
    assert not any(watch.look(one.time_s, one.time_s - one.heard_until_s) for one in said)


def test_a_look_that_is_a_little_late_is_no_hold_up() -> None:
    assert told([10.0, 10.0 + DEAF_S - 0.01]) == [10.0, 10.0 + DEAF_S - 0.01]


def test_a_reader_without_a_sign_is_told_of_once_and_given_up_in_the_end() -> None:
    watch = QuietWatch(quiet_s=2.0, hung_s=5.0)
    news = [(now_s, watch.look(now_s, 0.0)) for now_s in np.arange(0, 8, 0.05).tolist()]
    assert [(round(now_s, 1), what) for now_s, what in news if what] == [(2.0, "quiet"), (5.0, "hung")]


def test_a_reader_that_is_back_is_told_of_if_its_silence_was() -> None:
    watch = QuietWatch(quiet_s=2.0, hung_s=5.0)
    assert [watch.look(0.1 * look, 0.0) for look in range(10)] == [None] * 10
    assert watch.look(1.0, 0.9) is None
    news = [watch.look(1.0 + 0.1 * look, 0.9) for look in range(25)]
    assert news.count("quiet") == 1
    assert watch.look(3.6, 3.5) == "back"
    assert watch.look(3.7, 3.6) is None


def test_a_program_that_was_away_itself_holds_no_silence_against_the_reader() -> None:
    watch = QuietWatch(quiet_s=2.0, hung_s=5.0)
    assert watch.look(0.0, 0.0) is None
    assert watch.look(60.0, 0.0) is None
    assert watch.look(60.01, 60.0) is None


@pytest.fixture
def serial() -> Iterator[tuple[PseudoSerialOutput, TriggerReader]]:
    output = PseudoSerialOutput(ord("5"))
    port = output.open()
    reader = TriggerReader(Trigger(path="serial", port=port, byte=ord("5")), quiet_s=0.4, hung_s=4.0)
    reader.open()
    yield output, reader
    reader.close()
    output.close()


def heard_for(reader: TriggerReader, seconds: float) -> list[TriggerEvent]:
    events: list[TriggerEvent] = []
    end_s = time.monotonic() + seconds
    while time.monotonic() < end_s and not any(isinstance(event, TriggerDied) for event in events):
        events += reader.poll()
        time.sleep(0.005)
    return events


def test_a_reader_whose_processor_is_taken_away_says_nothing_of_that_time_before_its_pulses_are_in(
    serial: tuple[PseudoSerialOutput, TriggerReader],
) -> None:
    output, reader = serial
    assert reader.pid is not None
    heard_for(reader, 0.2)
    os.kill(reader.pid, signal.SIGSTOP)
    heard_for(reader, 0.1)  # what it had said before is on its way
    stopped_s = LslClock().now()
    output.down(None)
    said = heard_for(reader, 0.8)
    assert [type(event) for event in said] == [TriggerNotice]
    assert reader.heard_until_s < stopped_s
    os.kill(reader.pid, signal.SIGCONT)
    said = []
    end_s = time.monotonic() + 10
    while reader.heard_until_s < stopped_s:
        assert time.monotonic() < end_s
        said += reader.poll()
        time.sleep(0.001)
    assert [type(event) for event in said] == [Pulse, TriggerNotice]


def test_a_reader_that_runs_and_does_not_listen_is_given_up(
    serial: tuple[PseudoSerialOutput, TriggerReader],
) -> None:
    _, reader = serial
    assert reader.pid is not None
    os.kill(reader.pid, signal.SIGSTOP)
    notice, death = heard_for(reader, 10.0)
    assert isinstance(notice, TriggerNotice)
    assert "has not listened" in notice.words
    assert isinstance(death, TriggerDied)
    assert "has not listened" in death.reason
    assert list(reader.poll()) == []
