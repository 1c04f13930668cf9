"""What a download tells whoever waits for it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal, TypeAlias


@dataclass(frozen=True)
class Progress:
    """How far a fetch has come.

    Attributes:
        model: id of the model.
        step: what is being done.
        done_bytes: bytes that have come so far.
        total_bytes: bytes that are to come; None where the source does not say.
    """

    model: str
    step: Literal["downloading", "unpacking", "done"]
    done_bytes: int
    total_bytes: int | None


OnProgress: TypeAlias = Callable[[Progress], None]


def silent(progress: Progress) -> None:
    """Tell nobody."""
    del progress
