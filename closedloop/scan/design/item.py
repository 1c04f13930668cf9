"""What is put in order before it gets its time."""

from __future__ import annotations

from typing import NamedTuple

NULL = "null"
REST = "rest"


class Item(NamedTuple):
    """One image of a condition, or nothing.

    Attributes:
        condition: its name, or ``"null"``.
        stimulus: name of the image; None: a null event.
    """

    condition: str
    stimulus: str | None


NOTHING = Item(NULL, None)
