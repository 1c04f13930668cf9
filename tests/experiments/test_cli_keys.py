"""Keys of the person at the rig: what they mean, and that the terminal is always given back."""

from __future__ import annotations

import os
import pty
import sys
import termios
import time
from collections.abc import Iterator
from typing import TextIO

import pytest

from closedloop.loop.commands import Command, CommandKind
from experiments.keys import ABORT_WITHIN_S, HELP_LINE, Keys
from experiments.terminal import ReadKeys, typed_keys
from hardware.clock import VirtualClock

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="pseudo-terminals are of POSIX")


def _type(keys: Keys, text: str, time_s: float = 10.0) -> list[Command]:
    pressed = [keys.press(key, time_s, "terminal") for key in text]
    return [command for command in pressed if command is not None]


def test_p_pauses_and_resumes_in_turn() -> None:
    kinds = [command.kind for command in _type(Keys(), "pPp")]
    assert kinds == [CommandKind.PAUSE, CommandKind.RESUME, CommandKind.PAUSE]


def test_e_ends_and_other_keys_do_nothing() -> None:
    (command,) = _type(Keys(), "xq7 e\t")
    assert command == Command(CommandKind.END, 10.0, "terminal")


def test_abort_takes_two_presses_within_three_seconds() -> None:
    keys = Keys()
    assert keys.press("a", 10.0, "window") is None
    assert "again" in keys.prompt(10.5)
    assert keys.press("a", 10.0 + ABORT_WITHIN_S + 0.1, "window") is None  # too late: asks anew
    command = keys.press("a", 14.0, "window")
    assert command == Command(CommandKind.ABORT, 14.0, "window")
    assert keys.press("a", 14.5, "window") is None  # a third press is a first one
    assert keys.prompt(30.0) == HELP_LINE


def test_a_note_collects_keys_until_enter_and_none_of_them_commands() -> None:
    keys = Keys()
    assert _type(keys, "nape, cell 3!") == []
    assert "ape, cell 3!" in keys.prompt(10.0)
    (note,) = _type(keys, "\x7f\x7f7\n", 12.0)
    assert note == Command(CommandKind.NOTE, 12.0, "terminal", "ape, cell 7")
    (command,) = _type(keys, "e")
    assert command.kind is CommandKind.END


@pytest.mark.parametrize("text", ["n\n", "n   \n", "nlost\x1b"])
def test_an_empty_or_dropped_note_is_none(text: str) -> None:
    keys = Keys()
    assert _type(keys, text) == []
    assert keys.prompt(0.0) == HELP_LINE


def test_names_that_the_window_gives_to_keys_are_understood() -> None:
    keys = Keys()
    for name in ("n", "o", "k", "space", "lshift", "left", "period", "backspace", "1"):
        assert keys.press(name, 1.0, "window") is None
    assert keys.press("return", 2.0, "window") == Command(CommandKind.NOTE, 2.0, "window", "ok 1")


@pytest.fixture
def terminal() -> Iterator[tuple[int, TextIO]]:
    keyboard, screen = pty.openpty()
    stream = os.fdopen(screen, "r")
    yield keyboard, stream
    stream.close()
    os.close(keyboard)


def _read(read: ReadKeys, count: int) -> str:
    text = ""
    until_s = time.monotonic() + 5.0
    while len(text) < count and time.monotonic() < until_s:
        text += read()
    return text


@pytest.fixture
def in_the_foreground(monkeypatch: pytest.MonkeyPatch) -> None:
    # the pseudo-terminal is not the one that controls the tests' process
    monkeypatch.setattr(os, "tcgetpgrp", lambda _fd: os.getpgrp())


@pytest.mark.usefixtures("in_the_foreground")
def test_keys_come_one_by_one_without_enter_and_without_waiting(terminal: tuple[int, TextIO]) -> None:
    keyboard, stream = terminal
    with typed_keys(stream) as read:
        assert read() == ""
        os.write(keyboard, "pé".encode())
        assert _read(read, 2) == "pé"
        os.write(keyboard, b"\x1b[A\x1b[15~e")  # arrow up, F5
        assert _read(read, 1) == "e"


@pytest.mark.usefixtures("in_the_foreground")
def test_the_terminal_is_as_before_after_an_error(terminal: tuple[int, TextIO]) -> None:
    _, stream = terminal
    before = termios.tcgetattr(stream.fileno())

    def fail() -> None:
        with typed_keys(stream):
            assert termios.tcgetattr(stream.fileno()) != before
            raise RuntimeError("in a session")

    with pytest.raises(RuntimeError, match="in a session"):
        fail()
    assert termios.tcgetattr(stream.fileno()) == before


@pytest.mark.usefixtures("in_the_foreground")
def test_ctrl_c_stays_a_signal(terminal: tuple[int, TextIO]) -> None:
    _, stream = terminal
    with typed_keys(stream):
        assert termios.tcgetattr(stream.fileno())[3] & termios.ISIG


def test_a_job_in_the_background_leaves_the_terminal_alone(
    terminal: tuple[int, TextIO], monkeypatch: pytest.MonkeyPatch
) -> None:
    keyboard, stream = terminal
    monkeypatch.setattr(os, "tcgetpgrp", lambda _fd: os.getpgrp() + 1)
    before = termios.tcgetattr(stream.fileno())
    with typed_keys(stream) as read:
        assert termios.tcgetattr(stream.fileno()) == before
        os.write(keyboard, b"e\n")
        assert read() == ""


def test_without_a_terminal_no_keys_are_heard() -> None:
    reading, writing = os.pipe()
    os.write(writing, b"aaaa")
    with os.fdopen(reading) as stream, typed_keys(stream) as read:
        assert read() == ""
    os.close(writing)


def test_a_closed_standard_input_is_no_terminal() -> None:
    stream = open(os.devnull)  # noqa: SIM115, PTH123  it is to be closed here already
    stream.close()
    with typed_keys(stream) as read:
        assert read() == ""


@pytest.mark.usefixtures("in_the_foreground")
def test_the_operator_joins_terminal_and_window(
    terminal: tuple[int, TextIO], monkeypatch: pytest.MonkeyPatch
) -> None:
    from experiments.operator import TerminalOperator

    keyboard, stream = terminal
    monkeypatch.setattr(sys, "stdin", stream)
    clock = VirtualClock(50.0)
    heard: list[Command] = []
    with TerminalOperator(clock) as operator:
        operator.window_key("p", 49.0)
        os.write(keyboard, b"e")
        until_s = time.monotonic() + 5.0
        while len(heard) < 2 and time.monotonic() < until_s:
            heard += operator.poll()
    assert heard == [
        Command(CommandKind.PAUSE, 49.0, "window"),
        Command(CommandKind.END, 50.0, "terminal"),
    ]
