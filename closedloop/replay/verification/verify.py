"""Breeds, renders, deals out, measures and scores a recorded session again, and compares."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from closedloop.loop.threads import EvolutionThread
from closedloop.replay.recorded import Recorded
from closedloop.replay.verification.breeding import Breeder
from closedloop.replay.verification.difference import Verification
from closedloop.replay.verification.pictures import check_generation, check_references, describe_generator
from closedloop.replay.verification.responses import check_holes, check_responses
from closedloop.replay.verification.scores import check_scores
from closedloop.replay.verification.trials import check_frames, check_order

Progress = Callable[[str, float], None]


def verify(
    recorded: Recorded, threads: Sequence[EvolutionThread], progress: Progress = lambda _what, _share: None
) -> Verification:
    """Compare a session with what its seed, its protocol and the recorded samples give.

    Each step starts from the record of the step before (codes from recorded scores, scores from recorded
    values, values from recorded samples), so one changed number is one difference and not a flood.

    Args:
        recorded: the session.
        threads: its evolutions, made anew from the protocol, at their first generation.
        progress: told what is done and how far it is, 0 to 1.

    Raises:
        SessionError: the file can't be read.
    """
    found = Verification(notes=describe_generator(recorded, threads))
    for thread in threads:
        # the numbers that the loop gave them
        thread.reference_images = recorded.references(thread.index)
        check_references(recorded, thread, found)
    breeders = [Breeder(recorded, thread, found) for thread in threads]
    # from 0 on, even if a damaged file lacks one
    bred = range(int(recorded.generations["generation"].max()) + 1 if len(recorded.generations) else 0)
    next_trial = 0
    for generation in bred:
        progress("breeding and rendering", generation / max(len(bred), 1))
        for breeder, thread in zip(breeders, threads, strict=True):
            codes = breeder.breed(generation)
            check_generation(recorded, thread, generation, codes, found)
        next_trial = check_order(recorded, threads, generation, next_trial, found)
        for thread in threads:
            if (thread.index, generation) in recorded.finished_generations:
                check_scores(recorded, thread.index, generation, found)
    check_frames(recorded, found)
    check_holes(recorded, found)
    total = max(len(recorded.trials), 1)
    check_responses(recorded, found, lambda place: progress("measuring responses", place / total))
    return found
