"""Scores every generation again from the recorded values of its trials."""

from __future__ import annotations

import numpy as np

from closedloop.exports.columns import rows
from closedloop.loop.scorer import GenerationScores, score_generation
from closedloop.loop.tally import Tally
from closedloop.replay.recorded import Recorded
from closedloop.replay.verification.difference import Check, Difference, Verification


def scores_again(recorded: Recorded, thread: int, generation: int) -> GenerationScores:
    """Return the scores of a generation from the recorded values of its valid trials, in their order."""
    trials = recorded.trials
    trials = trials[
        (trials["thread"] == thread) & (trials["generation"] == generation) & (trials["status"] == "valid")
    ]
    tally = Tally()
    for image, value in zip(trials["image"], trials["value"], strict=True):
        tally.add(int(image), float(value))
    evolved = recorded.evolved(thread, generation)
    # in the order of the record, in which they were shown and averaged
    shown = recorded.scores
    shown = shown[(shown["thread"] == thread) & (shown["generation"] == generation)]
    references = [image for image in recorded.references(thread) if image in set(shown["image"])]
    normalise = recorded.scored_by(thread, generation).response.normalise
    return score_generation(thread, generation, evolved, references, tally, normalise)


def check_scores(recorded: Recorded, thread: int, generation: int, found: Verification) -> None:
    """Compare the recorded scores of a finished generation with those that its trials give."""
    table = recorded.scores
    table = table[(table["thread"] == thread) & (table["generation"] == generation)]
    kept_of = {int(row["image"]): row for row in rows(table)}
    name = recorded.names.get(thread, str(thread))
    again = scores_again(recorded, thread, generation)
    found.count(Check.SCORES, len(again.records))
    row_of = {image: row for row, image in enumerate(recorded.evolved(thread, generation))}
    for record in again.records:
        row = row_of.get(record.image)
        kept = kept_of.get(record.image)
        if kept is None:
            found.differences.append(
                Difference(
                    Check.SCORES,
                    "score",
                    "none is recorded, in a generation that is finished",
                    generation,
                    name,
                    row,
                    image=record.image,
                )
            )
            continue
        for what in ("n", "mean", "sem", "score"):
            was, now = float(kept[what]), float(getattr(record, what))
            if was == now or (np.isnan(was) and np.isnan(now)):
                continue
            found.differences.append(
                Difference(
                    Check.SCORES,
                    {"n": "number of trials", "mean": "mean", "sem": "standard error"}.get(what, what),
                    f"recorded {was:.17g}, the trials give {now:.17g}",
                    generation,
                    name,
                    row,
                    image=record.image,
                )
            )
            break
