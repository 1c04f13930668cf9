"""Where playing stands: which moment of the recording belongs to which moment of the clock.

The *tape* is the recording laid end to end as often as it is played; a moment on it is a time in seconds.
Nothing here knows LSL.
"""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Tape:
    """A recording, once or in a loop.

    Attributes:
        duration_s: of the recording.
        gap_s: from its last sample to the first of the next pass.
        loop: whether there is a next pass.
    """

    duration_s: float
    gap_s: float
    loop: bool

    @property
    def period_s(self) -> float:
        """From one pass to the next."""
        return self.duration_s + self.gap_s

    def place(self, tape_s: float) -> tuple[int, float]:
        """Return the pass (from 0) and the time in the recording; the gap belongs to the pass before it."""
        if not self.loop:
            return 0, min(tape_s, self.duration_s)
        number = int(tape_s // self.period_s)
        return number, min(tape_s - number * self.period_s, self.duration_s)

    def moved(self, tape_s: float, by_s: float) -> float:
        """Return where a seek leads: within the same pass, at most to its ends."""
        number, at_s = self.place(tape_s)
        return number * self.period_s + min(max(0.0, at_s + by_s), self.duration_s)


class Transport:
    """Runs, pauses and jumps.

    Args:
        speed: seconds of the tape for each second of the clock.
        tape_s: where it stands; it starts paused.
    """

    def __init__(self, speed: float, tape_s: float) -> None:
        self.speed = speed
        self._anchor_s = 0.0  # of the clock
        self._anchor_tape_s = tape_s
        self._running = False

    def moves(self, now_s: float) -> bool:
        """Whether the tape moves at a time of the clock."""
        return self._running and now_s >= self._anchor_s

    def start(self, now_s: float) -> None:
        """Let the tape move on from where it stands, at ``now_s`` of the clock (which may lie ahead)."""
        self._anchor_s = now_s
        self._running = True

    def stop(self, now_s: float) -> None:
        """Halt it."""
        self._anchor_tape_s = self.tape_at(now_s)
        self._running = False

    def jump(self, tape_s: float) -> None:
        """Put a halted tape elsewhere."""
        self._anchor_tape_s = tape_s

    def tape_at(self, now_s: float) -> float:
        """Return the place on the tape at a time of the clock."""
        if not self._running:
            return self._anchor_tape_s
        return self._anchor_tape_s + max(0.0, now_s - self._anchor_s) * self.speed

    @property
    def offset_s(self) -> float:
        """Clock time at which the tape's 0 would have been: a stamp is ``offset_s + tape_s / speed``."""
        return self._anchor_s - self._anchor_tape_s / self.speed
