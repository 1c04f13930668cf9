"""The dead time between two generations, by its parts."""

from __future__ import annotations

from closedloop.ports import Clock


class DeadTime:
    """Counts from the end of the last response window of a generation to the first onset of the next.

    The parts, in milliseconds: ``waiting`` for the last samples to come in, ``scoring``, ``breeding``,
    ``rendering`` of the first image, ``upload`` (handing over, upload, and the wait for the next frame).
    """

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._last_window_end_s: float | None = None
        self._mark_s = 0.0
        self._parts_ms: dict[str, float] = {}

    def window_ended(self, time_s: float) -> None:
        """The generation's last response window ended at this time; its judgement is there now."""
        self._last_window_end_s = time_s
        self._mark_s = time_s
        self._parts_ms = {}
        self.part("waiting")

    def part(self, name: str) -> None:
        """The part of this name has just ended."""
        now = self._clock.now()
        self._parts_ms[name] = 1000.0 * (now - self._mark_s)
        self._mark_s = now

    def ended_by(self, onset_s: float | None) -> dict[str, float]:
        """Return the parts and the total in milliseconds, once, with the first onset after a dead time."""
        if self._last_window_end_s is None or onset_s is None or onset_s <= self._last_window_end_s:
            return {}
        self._parts_ms["upload"] = 1000.0 * (onset_s - self._mark_s)
        parts = {**self._parts_ms, "total": 1000.0 * (onset_s - self._last_window_end_s)}
        self._last_window_end_s = None
        return parts
