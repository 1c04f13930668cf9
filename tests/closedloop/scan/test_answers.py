"""Presses and the events that they answer."""

from __future__ import annotations

import pytest

from closedloop.scan.answers import Answers
from closedloop.scan.ports import ButtonPress


def press(time_s: float, key: str = "1") -> ButtonPress:
    return ButtonPress(key, time_s, 0.001, time_s)


@pytest.mark.parametrize(
    ("time_s", "key", "event"),
    [
        (10.5, "1", 3),
        (10.05, "1", None),  # too soon to be an answer
        (11.99, "1", 3),
        (12.05, "1", 3),  # too soon for the next one
        (12.2, "1", 4),
        (13.6, "1", None),  # too late
        (10.5, "2", None),  # another key
        (9.0, "1", None),
    ],
)
def test_a_press_answers_the_last_event_that_asked(time_s: float, key: str, event: int | None) -> None:
    answers = Answers(("1",), limit_s=2.2 if time_s < 13 else 1.5)
    answers.ask(4, 12.0)
    answers.ask(3, 10.0)  # in whatever order they are told
    assert answers.feed(press(time_s, key)) == event


def test_an_event_has_one_answer_the_first() -> None:
    answers = Answers(("1",), 1.0)
    answers.ask(0, 5.0)
    assert [answers.feed(press(time_s)) for time_s in (5.4, 5.6)] == [0, None]
    answers.ask(1, 7.0)
    assert answers.tally(7.5) == (1, 1)
    assert answers.tally(8.1) == (1, 2)
