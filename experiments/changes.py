"""What is otherwise in a session that is to go on: gathered, told to the person, and refused where it must be."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from closedloop.errors import SessionChangedError
from experiments.console import say
from experiments.differences import Difference, Weight


class Changes:
    """Differences between a session as it was and as it would go on.

    Args:
        folder: the session folder.
        accept: go on even if they make it another experiment.
    """

    def __init__(self, folder: Path, accept: bool) -> None:
        self._folder = folder
        self._accept = accept
        self._found: list[Difference] = []

    @property
    def words(self) -> list[str]:
        """All differences, in words."""
        return [str(difference) for difference in self._found]

    @property
    def accepted(self) -> bool:
        """Whether some of them make it another experiment."""
        return any(difference.weight is Weight.CHANGE for difference in self._found)

    def note(self, found: Sequence[Difference]) -> None:
        """Tell the person of differences."""
        for difference in found:
            say(f"{'note' if difference.weight is Weight.NOTE else 'changed'}: {difference}")
        self._found.extend(found)

    def refuse(self) -> None:
        """End here if there is one that the session can't go on with, or not without being told to.

        Raises:
            SessionChangedError: there is.
        """
        never = self._words_of(Weight.NEVER)
        if never:
            raise SessionChangedError(
                str(self._folder),
                found="; ".join(never),
                expected="what the session's images stand on",
                remedy="This can't be changed within a session: leave it as it was, or begin a new session.",
            )
        changes = self._words_of(Weight.CHANGE)
        if changes and not self._accept:
            raise SessionChangedError(
                str(self._folder),
                found="; ".join(changes),
                expected="what the session began with",
                remedy="It would be another experiment. Put it back, or give --accept-changes to go on all the "
                "same: the session then says from which trial on it holds.",
            )

    def _words_of(self, weight: Weight) -> list[str]:
        return [str(difference) for difference in self._found if difference.weight is weight]
