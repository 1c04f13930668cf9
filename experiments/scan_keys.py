"""What the keys of the person at the scanner's console mean."""

from __future__ import annotations

from closedloop.loop.commands import Command, CommandKind
from experiments.keys import ABORT_WITHIN_S, Keys

HELP_LINE = "keys: g go on · r repeat the run · p pause/resume · a abort the run (twice) · e end · n note"


class ScanKeys(Keys):
    """Keys of scan sessions; notes and the second press of abort are as in any session."""

    help_line = HELP_LINE

    def _choose(self, key: str, time_s: float, where: str) -> Command | None:
        if key == "g":
            self._paused = False
            return Command(CommandKind.GO, time_s, where)
        if key == "r":
            self._paused = False
            return Command(CommandKind.REPEAT, time_s, where)
        return super()._choose(key, time_s, where)

    def paused_is(self, paused: bool) -> None:
        """Take over whether the run is paused, which a policy or a new run may have changed."""
        self._paused = paused


__all__ = ["ABORT_WITHIN_S", "HELP_LINE", "ScanKeys"]
