"""Numbers in words."""

from __future__ import annotations

import math

import pytest

from closedloop.report import words


@pytest.mark.parametrize(
    ("value", "expected"),
    [(0.0, "0"), (1234.5, "1,234"), (12.345, "12.3"), (-0.0123, "−0.0123"), (math.nan, "–"), (None, "–")],  # noqa: RUF001 - minus sign and dash are what is meant
)
def test_numbers_have_three_digits(value: float | None, expected: str) -> None:
    assert words.number(value) == expected


@pytest.mark.parametrize(
    ("seconds", "expected"),
    [(41.6, "42 s"), (200, "3 min 20 s"), (3600, "1 h 0 min"), (math.nan, "–")],  # noqa: RUF001 - a dash is what is meant
)
def test_durations_are_said_as_people_say_them(seconds: float, expected: str) -> None:
    assert words.duration(seconds).replace("\u202f", " ") == expected


@pytest.mark.parametrize(("seconds", "expected"), [(0, "0:00.0"), (59.96, "1:00.0"), (-1.5, "−0:01.5")])  # noqa: RUF001 - a minus sign is what is meant
def test_moments_carry_over(seconds: float, expected: str) -> None:
    assert words.moment(seconds) == expected


@pytest.mark.parametrize(
    ("part", "whole", "expected"),
    [(0, 10, "0.0 %"), (1, 3, "33.3 %"), (1, 36000, "0.0028 %"), (1, 0, "–")],  # noqa: RUF001 - a dash is what is meant
)
def test_shares_are_percent(part: float, whole: float, expected: str) -> None:
    assert words.share(part, whole).replace("\u202f", " ") == expected


def test_a_share_short_of_all_is_never_called_all() -> None:
    assert words.share(99_999, 100_000).replace("\u202f", " ") != "100.0 %"


@pytest.mark.parametrize(("p", "expected"), [(0.04321, "0.043"), (1e-9, "< 0.0001"), (math.nan, "–")])  # noqa: RUF001 - a dash is what is meant
def test_p_values(p: float, expected: str) -> None:
    assert words.p_value(p) == expected


@pytest.mark.parametrize(
    ("items", "expected"), [([], ""), (["a"], "a"), (["a", "b"], "a and b"), (["a", "b", "c"], "a, b and c")]
)
def test_lists(items: list[str], expected: str) -> None:
    assert words.listed(items) == expected


@pytest.mark.parametrize(("n", "expected"), [(0, "no trial"), (1, "1 trial"), (1204, "1,204 trials")])
def test_counts(n: int, expected: str) -> None:
    assert words.count(n, "trial") == expected
