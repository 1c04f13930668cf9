"""The number that a pulse's marker bears, where markers are numbered."""

from __future__ import annotations

import re

# no count of pulses is longer or has a fraction, but a comment's number may
_LAST_NUMBER = re.compile(r"(?<![\d.,])(\d{1,18})\W*$")


def number_in(mark: str) -> int | None:
    """Return the number that a mark ends in (signs may follow: quotes, brackets); None if it ends in none."""
    found = _LAST_NUMBER.search(mark)
    return int(found[1]) if found else None


def passed(mark: str, numbered_from: int) -> int | None:
    """Return how many pulses come before one by the number in its mark; None if there is none."""
    number = number_in(mark)
    return None if number is None else number - numbered_from
