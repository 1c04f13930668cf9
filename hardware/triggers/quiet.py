"""Whether a trigger's process that runs also listens, and gets to the end of what it is to listen to."""

from __future__ import annotations

from typing import Literal, TypeAlias

News: TypeAlias = Literal["quiet", "back", "hung"]

QUIET_S = 2.0
"""After so long without a sign of listening a person is told."""
HUNG_S = 30.0
"""After so long the reader counts as dead: a run that nobody hears must not seem to go on."""

LAG_S = 0.1
"""A reader that vouches for no more than so long before it looked was held up."""
CATCH_UP_S = 8.0
"""One that was held up once is level again by then; one that is not is held up again and again."""

_STEP_S = 0.1  # while we were away ourselves its signs may be waiting: more than this is not held against it


class QuietWatch:
    """Tells when a reader falls silent, when it is back, and when it is given up.

    Args:
        quiet_s, hung_s: after how long.
    """

    def __init__(self, quiet_s: float = QUIET_S, hung_s: float = HUNG_S) -> None:
        self._limits_s: dict[News, float] = {"quiet": quiet_s, "hung": hung_s}
        self._looked_s: float | None = None
        self._sign_s: float | None = None
        self._silent_s = 0.0
        self._told: News | None = None

    def look(self, now_s: float, sign_s: float) -> News | None:
        """Return what is new.

        Args:
            now_s: on any clock.
            sign_s: of the reader's last sign; only whether it changes counts.
        """
        step_s = 0.0 if self._looked_s is None else now_s - self._looked_s
        self._looked_s = now_s
        if sign_s != self._sign_s:
            self._sign_s, self._silent_s = sign_s, 0.0
            was, self._told = self._told, None
            return "back" if was == "quiet" else None
        self._silent_s += min(step_s, _STEP_S)
        if self._told != "hung" and self._silent_s >= self._limits_s["hung"]:
            self._told = "hung"
            return "hung"
        if self._told is None and self._silent_s >= self._limits_s["quiet"]:
            self._told = "quiet"
            return "quiet"
        return None


class BehindWatch:
    """Tells when a reader that looks does not get to where it could vouch for all that came in.

    Args:
        catch_up_s: after how long, which is also for how long it must be level before it may be told of again.
    """

    def __init__(self, catch_up_s: float = CATCH_UP_S) -> None:
        self._catch_up_s = catch_up_s
        self._looked_s: float | None = None
        self._behind_s = self._level_s = 0.0
        self._told = False

    def look(self, now_s: float, lag_s: float) -> bool:
        """Return whether it is to be told now.

        Args:
            now_s: on any clock.
            lag_s: from where the reader vouches for everything to its last look.
        """
        step_s = 0.0 if self._looked_s is None else min(now_s - self._looked_s, _STEP_S)
        self._looked_s = now_s
        if lag_s > LAG_S:
            self._behind_s, self._level_s = self._behind_s + step_s, 0.0
        else:
            self._level_s += step_s
            self._behind_s = 0.0
            self._told = self._told and self._level_s < self._catch_up_s
        if self._told or self._behind_s < self._catch_up_s:
            return False
        self._told = True
        return True
