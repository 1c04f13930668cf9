"""Whether the trials are those that the seed and the judgements give, and whether they were whole."""

from __future__ import annotations

from collections.abc import Hashable, Sequence
from typing import Any

import numpy as np

from closedloop.exports.frames import missed_frames
from closedloop.loop.history import History, Judgement
from closedloop.loop.order import interleave
from closedloop.loop.queue import GenerationQueue, QueuedTrial
from closedloop.loop.relive import requeue
from closedloop.loop.threads import EvolutionThread
from closedloop.replay.recorded import Recorded
from closedloop.replay.verification.difference import Check, Difference, Verification
from closedloop.seeds import Purpose, random_for


def check_order(
    recorded: Recorded,
    threads: Sequence[EvolutionThread],
    generation: int,
    first_trial: int,
    found: Verification,
) -> int:
    """Deal out the trials of a generation again, by the recorded judgements, and compare.

    Args:
        recorded: the session.
        threads: the evolutions, whose ``reference_images`` are numbered.
        generation: which.
        first_trial: number that its first trial should have.
        found: takes what is found.

    Returns:
        The number that the next generation's first trial should have.
    """
    dealer = _Dealer(recorded, threads, generation, first_trial)
    table = recorded.trials[recorded.trials["generation"] == generation]
    found.count(Check.TRIALS, len(table))
    columns = ("trial", "run", "thread", "image", "repeat", "attempt", "status")
    for row in table[list(columns)].itertuples(index=False):
        trial, run, thread, image, repeat, attempt, status = row
        queue = dealer.in_run(int(run))
        at: dict[str, Any] = {
            "generation": generation,
            "thread": recorded.names.get(int(thread), str(thread)),
            "trial": int(trial),
            "run": int(run),
            "image": int(image),
        }
        if not queue.left:
            detail = "recorded, though every image of the generation had been shown"
            found.differences.append(Difference(Check.TRIALS, "trial order", detail, **at))
            break
        dealt = queue.deal()
        item = dealt.item
        if (item.thread, item.image, item.repeat, dealt.attempt) != (thread, image, repeat, attempt):
            detail = (
                f"recorded image {image} of thread {thread} (repeat {repeat}, attempt {attempt});"
                f" the seed gives image {item.image} of thread {item.thread}"
                f" (repeat {item.repeat}, attempt {dealt.attempt})"
            )
            found.differences.append(Difference(Check.TRIALS, "trial order", detail, **at))
            break
        if dealt.trial != trial:
            detail = f"recorded number {trial}; it should be {dealt.trial}"
            found.differences.append(Difference(Check.TRIALS, "trial numbering", detail, **at))
            break
        dealer.judge(dealt, valid=status == "valid")
    else:
        queue = dealer.at_the_end()
        finished = all((thread.index, generation) in recorded.finished_generations for thread in threads)
        if finished and queue.left:
            detail = f"{queue.left} trials are missing from a generation that is finished"
            found.differences.append(Difference(Check.TRIALS, "trial missing", detail, generation))
        return queue.next_trial
    return int(table["trial"].max()) + 1


class _Dealer:
    """Deals out a generation's trials as the loop did, by the protocol of each run that worked on it."""

    def __init__(
        self, recorded: Recorded, threads: Sequence[EvolutionThread], generation: int, first_trial: int
    ) -> None:
        self._recorded = recorded
        self._threads = threads
        self._generation = generation
        self._first_trial = first_trial
        self._judged: list[Judgement] = []
        ends = [recorded.worked.get((thread.index, generation)) for thread in threads]
        self._runs = [end for end in ends if end is not None]
        self._run: int | None = None
        self._queue = self.in_run(min((first for first, _ in self._runs), default=0))

    def in_run(self, run: int) -> GenerationQueue:
        """Return the queue as it is when a run deals from it: each run takes it up as a resume does."""
        if run == self._run:
            return self._queue
        self._run = run
        protocol = self._recorded.protocol_in(run)
        images = [
            self._recorded.evolved(thread.index, self._generation)
            + thread.references_of(protocol.seed, self._generation, protocol.references.per_generation)
            for thread in self._threads
        ]
        order = interleave(
            images,
            protocol.response.repeats,
            random_for(protocol.seed, Purpose.TRIAL_ORDER, 0, self._generation),
        )
        # what is judged was compared already; only after accepted changes it need not be of this order
        history = History(
            str(self._recorded.reader.path),
            judged=self._judged,
            first_trial=self._first_trial,
            lenient=True,
        )
        self._queue, _ = requeue(order, history, protocol.limits.max_repeats)
        return self._queue

    def at_the_end(self) -> GenerationQueue:
        """Return the queue as it was for the last run that worked on the generation."""
        return self.in_run(max((last for _, last in self._runs), default=0))

    def judge(self, dealt: QueuedTrial, *, valid: bool) -> None:
        """Take a recorded judgement."""
        self._queue.judge(dealt.trial, valid=valid)
        item = dealt.item
        # which value a valid trial has does not matter for what is dealt out
        value = 0.0 if valid else None
        self._judged.append(
            Judgement(dealt.trial, item.thread, item.image, item.repeat, dealt.attempt, value, self._run or 0)
        )


def check_frames(recorded: Recorded, found: Verification) -> None:
    """Compare what was counted with the flips: a valid trial has every frame, one with a missed frame has not."""
    table = recorded.trials
    table = table[(table["status"] == "valid") | (table["reason"] == "missed-frame").fillna(False)]
    for row in table.to_dict("records"):
        problem = _frames_problem(recorded, row)
        if problem:
            found.differences.append(
                Difference(
                    Check.TRIALS,
                    "flips",
                    problem,
                    int(row["generation"]),
                    recorded.names.get(int(row["thread"])),
                    None,
                    int(row["trial"]),
                    int(row["run"]),
                    int(row["image"]),
                )
            )


def _frames_problem(recorded: Recorded, row: dict[Hashable, Any]) -> str | None:
    flips = recorded.reader.flips(int(row["trial"]), int(row["run"]))
    planned = int(row["on_frames"]) + int(row["off_frames"]) + 1
    if len(flips) != planned or row["on_flips"] != row["on_frames"]:
        return (
            f"{len(flips)} flips are recorded, {row['on_flips']} of them with the image;"
            f" planned were {planned} and {row['on_frames']}"
        )
    if flips[0] != row["onset_s"]:
        return f"the onset is recorded at {row['onset_s']:.6f} s, the first flip at {flips[0]:.6f} s"
    period_s = recorded.periods_s.get(int(row["run"]), float("nan"))
    if not np.isfinite(period_s):
        return None
    lost = int(missed_frames(np.diff(flips), period_s).sum())
    # more may be recorded: the stage counts the interval before the onset, and lateness that adds up, as well
    if lost > row["missed"]:
        return f"{row['missed']} missed frames are recorded; the flips show {lost}"
    if (row["missed"] == 0) != (row["status"] == "valid"):
        return f"recorded as {row['status']}, with {row['missed']} missed frames"
    return None
