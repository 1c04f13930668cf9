"""Where pulses go out: what every path has in common."""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple, Protocol


class Sent(NamedTuple):
    """Something went out between two readings of ``local_clock``."""

    before_s: float
    after_s: float


class Output(Protocol):
    """One path."""

    def open(self) -> str:
        """Open it; return in words where pulses come out.

        Raises:
            TriggerError: it can't be opened here.
        """
        ...

    def down(self, key: str | None, number: int | None = None) -> Sent:
        """Send a pulse, or press a key of the subject's if one is named.

        Args:
            key: the subject's; None for a pulse.
            number: of the pulse in the sequence, where the path can carry it.
        """
        ...

    def up(self, key: str | None) -> None:
        """Let it go again; does nothing where nothing is held."""
        ...

    def stay(self, stopped: Callable[[], bool]) -> None:
        """Stay after the last run for as long as somebody would take it for a fault if it went (blocks)."""
        ...

    def close(self) -> None:
        """Close it; what was sent gets out first."""
        ...
