"""Of markers that carry the pulse's number, only those with one are pulses; of the others a person is told."""

from __future__ import annotations

import math

from closedloop.scan.pulse_numbers import number_in

MOST_TOLD = 5
"""Of so many markers without a number a person is told as they come; a gateway's comments must not flood."""

SILENT_S = 30.0
"""While no pulse comes for so long, a person is told of the others again, and as often: it may be the wrong setting."""

_LONGEST = 60


class NumberedOnly:
    """Tells pulses from other markers, and what is to be said of these.

    Args:
        numbered_from: number of a sequence's first pulse.
    """

    def __init__(self, numbered_from: int) -> None:
        self._numbered_from = numbered_from
        self._told: set[str] = set()
        self._pulse_s = self._said_s = -math.inf

    def is_pulse(self, mark: str, now_s: float) -> bool:
        """Return whether a marker that came just now ends in a number."""
        if number_in(mark) is None:
            return False
        self._pulse_s = now_s
        return True

    def words(self, mark: str, now_s: float) -> str:
        """Return what is to be said of a marker without a number, to go on from the stream's name; empty: nothing."""
        new = mark not in self._told and len(self._told) < MOST_TOLD
        silent = now_s - self._pulse_s >= SILENT_S
        if not new and not (silent and now_s - self._said_s >= SILENT_S):
            return ""
        if new:
            self._told.add(mark)
        self._said_s = now_s
        shown = mark if len(mark) <= _LONGEST else mark[:_LONGEST] + "…"
        words = (
            f"sent '{shown}', which ends in no number: it counts as no pulse, as the pulses' markers are to end in "
            f"theirs (scanner.trigger.numbered_from: {self._numbered_from})."
        )
        if silent:
            since = (
                "No marker with a number has come so far."
                if self._pulse_s == -math.inf
                else f"None with a number has come for {now_s - self._pulse_s:.0f} s."
            )
            words += (
                f" {since} If that is the scanner's pulse, set scanner.trigger.numbered_from to null, and "
                "scanner.trigger.marker to what all its pulses send (null: any marker is one)."
            )
        if new and len(self._told) == MOST_TOLD:
            words += " Other markers without a number are told of only while no pulses come."
        return words
