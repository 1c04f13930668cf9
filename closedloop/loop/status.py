"""How a running session stands, for whoever shows it."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Status:
    """A momentary view of a session.

    Attributes:
        generation: the generation being shown, from 0.
        generations: how many there are to be.
        trials_done: trials judged in the whole session.
        trials_valid: of these, valid ones.
        trials_invalid: of these, invalid ones.
        trials_left_in_generation: still to be shown or judged.
        mean_score: mean score of the evolved images of the last complete generation, in the unit of the responses; None before.
        reference_score: the same of its references; None without references.
        stream_state: state of the response stream, in one word.
        missed_frames: missed frames in all trials so far.
        paused: the person at the rig has paused the session.
        elapsed_s: seconds since the first generation began.
        remaining_s: seconds still to go at the present pace; None while unknown.
        evolved_curve: mean score of the evolved images of each complete generation; NaN for none.
        reference_curve: the same of the references.
        message: what the session is waiting for or doing, in plain words; empty when it just runs.
    """

    generation: int
    generations: int
    trials_done: int
    trials_valid: int
    trials_invalid: int
    trials_left_in_generation: int
    mean_score: float | None
    reference_score: float | None
    stream_state: str
    missed_frames: int
    paused: bool
    elapsed_s: float
    remaining_s: float | None
    evolved_curve: tuple[float, ...] = ()
    reference_curve: tuple[float, ...] = ()
    message: str = ""
