"""What is shown of a running session, in a terminal and without one."""

from __future__ import annotations

import io
from dataclasses import replace

import pytest
from rich.console import Console

from closedloop.loop.status import Status
from experiments.progress import Progress, clock_time, plain_line

STATUS = Status(
    generation=2,
    generations=14,
    trials_done=95,
    trials_valid=91,
    trials_invalid=4,
    trials_left_in_generation=25,
    mean_score=31.24,
    reference_score=18.0,
    stream_state="live",
    missed_frames=1,
    paused=False,
    elapsed_s=75.0,
    remaining_s=3700.0,
)


@pytest.fixture(autouse=True)
def _usual_terminal(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TERM", "xterm")


def _console(*, terminal: bool) -> tuple[Console, io.StringIO]:
    text = io.StringIO()
    return Console(file=text, force_terminal=terminal, width=110, color_system=None), text


def test_a_plain_line_says_all() -> None:
    line = plain_line(STATUS)
    for part in (
        "generation 3/14",
        "trials 95 (4 invalid)",
        "31.2 evolved, 18.0 reference",
        "stream live",
        "missed frames 1",
        "1:15 gone, 1:01:40 left",
    ):
        assert part in line
    assert "\n" not in line


def test_what_is_not_known_yet_is_no_number() -> None:
    line = plain_line(replace(STATUS, mean_score=None, reference_score=None, remaining_s=None))
    assert "score - evolved, - reference" in line
    assert "time left unknown" in line


def test_a_pause_is_said_even_without_a_message() -> None:
    assert plain_line(replace(STATUS, paused=True)).endswith("| paused")
    assert plain_line(replace(STATUS, paused=True, message="press p")).endswith("| press p")


@pytest.mark.parametrize(
    ("seconds", "text"), [(0, "0:00"), (59.6, "1:00"), (3599.4, "59:59"), (3600, "1:00:00"), (-1, "0:00")]
)
def test_durations(seconds: float, text: str) -> None:
    assert clock_time(seconds) == text


def test_without_a_terminal_a_line_comes_every_ten_seconds() -> None:
    console, text = _console(terminal=False)
    now_s = [0.0]
    with Progress(console, now=lambda: now_s[0]) as progress:
        for tick in range(100):
            now_s[0] = tick * 0.25
            progress.update(replace(STATUS, trials_done=tick))
    lines = text.getvalue().splitlines()
    assert [line.split("trials ")[1].split()[0] for line in lines] == ["0", "40", "80", "99"]


def test_without_a_terminal_a_lost_stream_and_a_pause_are_said_at_once() -> None:
    console, text = _console(terminal=False)
    with Progress(console, now=lambda: 0.0) as progress:
        progress.update(STATUS)
        progress.update(replace(STATUS, stream_state="lost"))
        progress.update(replace(STATUS, stream_state="lost", paused=True))
    lines = text.getvalue().splitlines()
    assert len(lines) == 4  # each change, and the end
    assert "stream lost" in lines[1]
    assert "paused" in lines[2]


def test_a_terminal_that_can_not_move_its_cursor_gets_lines(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TERM", "dumb")
    console, text = _console(terminal=True)
    with Progress(console) as progress:
        progress.update(STATUS)
        assert text.getvalue().splitlines() == [plain_line(STATUS)]


def test_in_a_terminal_status_and_keys_are_shown() -> None:
    console, text = _console(terminal=True)
    with Progress(console, prompt=lambda: "keys: p pause") as progress:
        progress.update(replace(STATUS, message="waiting: [stream] is late"))
    shown = text.getvalue()
    for part in (
        "generation 3/14",
        "95, 4 invalid",
        "31.2 evolved",
        "live",
        "keys: p pause",
        "[stream] is late",
    ):
        assert part in shown


def test_the_display_is_taken_down_after_an_error() -> None:
    console, text = _console(terminal=True)

    def fail() -> None:
        with Progress(console) as progress:
            progress.update(STATUS)
            raise RuntimeError("in a session")

    with pytest.raises(RuntimeError, match="in a session"):
        fail()
    assert text.getvalue().endswith("\x1b[?25h")  # the cursor is shown again
