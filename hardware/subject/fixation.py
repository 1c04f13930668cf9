"""Where the subject looks: at the fixation point, but for breaks."""

from __future__ import annotations

import numpy as np

_BREAK_S = (0.2, 0.5)  # how long a break of its own lasts
_REPEAT_S = 0.020  # the state is sent again this often, so that silence means a fault
_MINUTE_S = 60.0


class Gaze:
    """Fixating or not, with breaks asked for and breaks of the subject's own.

    Args:
        breaks_per_min: of its own, at random times.
        random: where their times come from.
        start_s: LSL time at which it begins.
    """

    def __init__(self, breaks_per_min: float, random: np.random.Generator, start_s: float) -> None:
        self._per_min, self._random = breaks_per_min, random
        self._away_until_s = -np.inf
        self._next_s = start_s + self._pause_s()
        self._sent_s = -np.inf
        self._sent: bool | None = None

    def look_away(self, until_s: float) -> None:
        """Break fixation until a time."""
        self._away_until_s = max(self._away_until_s, until_s)

    def fixating(self, now_s: float) -> bool:
        """Whether the subject fixates now."""
        if now_s >= self._next_s:
            self.look_away(now_s + float(self._random.uniform(*_BREAK_S)))
            self._next_s = self._away_until_s + self._pause_s()
        return now_s >= self._away_until_s

    def due(self, now_s: float) -> bool | None:
        """Return the state if it must be sent now, because it changed or was not sent for long; else None."""
        state = self.fixating(now_s)
        if state is self._sent and now_s - self._sent_s < _REPEAT_S:
            return None
        self._sent, self._sent_s = state, now_s
        return state

    def _pause_s(self) -> float:
        return float(self._random.exponential(_MINUTE_S / self._per_min)) if self._per_min > 0 else np.inf
