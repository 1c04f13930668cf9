"""Brings optimizers and the queue to where a session's history ends, by what is recorded and nothing else."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import groupby

import numpy as np

from closedloop.errors import SessionChangedError
from closedloop.loop.history import Bred, History, Judgement
from closedloop.loop.order import Item
from closedloop.loop.queue import GenerationQueue, QueuedTrial
from closedloop.loop.tally import Tally
from closedloop.loop.threads import EvolutionThread

_REMEDY = (
    "Go on with the same version of closedloop and numpy and the same protocol. With --accept-changes the "
    "session goes on from what is recorded."
)


def relive(threads: Sequence[EvolutionThread], history: History) -> list[str]:
    """Let each thread hear its recorded scores again, and see whether it breeds what is recorded.

    Args:
        threads: the evolutions, at their beginning.
        history: of the session; a lenient one takes codes that differ as recorded.

    Returns:
        A sentence for each thread whose recorded codes had to be taken though they are not what it breeds.

    Raises:
        SessionChangedError: a thread breeds other codes; it names the first generation and row.
    """
    notes = []
    for place, thread in enumerate(threads):
        past = [generation[place] for generation in history.complete]
        if history.open is not None:
            past.append(history.open[place])
        note = _relive(thread, past, history)
        if note is not None:
            notes.append(note)
    return notes


def _relive(thread: EvolutionThread, past: Sequence[Bred], history: History) -> str | None:
    _check_size(thread, past, history.where)
    thread.mean_scores.extend(bred.mean_evolved for bred in past if bred.told is not None)
    taken, to_breed = past[: history.taken], past[history.taken :]
    if taken:
        _take_over(thread, taken[-1])
    for bred in to_breed:
        difference = _difference(thread, bred)
        if difference is not None and not history.lenient:
            raise SessionChangedError(
                f"{history.where}: thread {thread.spec.name}, {difference}",
                found="another code than the protocol and the recorded scores give",
                expected="the same to the byte",
                remedy=_REMEDY,
            )
        if difference is not None:
            _take_over(thread, past[-1])
            return f"thread {thread.spec.name}, {difference}: other codes than recorded; the recorded ones are taken"
        if bred.told is not None:
            thread.optimizer.tell(bred.told)
    return None


def _check_size(thread: EvolutionThread, past: Sequence[Bred], where: str) -> None:
    size = len(thread.optimizer.ask())
    other = next((len(bred.population) for bred in past if len(bred.population) != size), None)
    if other is not None:
        raise SessionChangedError(
            f"{where}: thread {thread.spec.name}",
            found=f"a population of {size}",
            expected=f"one of {other}, as recorded",
            remedy="The size of a population can't be changed within a session: begin a new session.",
        )


def _difference(thread: EvolutionThread, bred: Bred) -> str | None:
    """Return generation and row of the first code that is not what the optimizer breeds, or None."""
    recorded, again = bred.population, thread.optimizer.ask()
    where = f"generation {recorded.generation}"
    if recorded.codes.shape != again.codes.shape:  # another length of code; the sizes of populations agree
        return f"{where}, row 0"
    same = (recorded.codes.view(np.uint32) == again.codes.view(np.uint32)).all(axis=1)
    same &= (recorded.parents == again.parents).all(axis=1) & (recorded.origin == again.origin)
    return None if same.all() else f"{where}, row {int(np.flatnonzero(~same)[0])}"


def _take_over(thread: EvolutionThread, last: Bred) -> None:
    population = last.population
    state = thread.optimizer.state | {
        "generation": population.generation,
        "codes": population.codes,
        "parents": population.parents,
        "origin": population.origin,
        "scores": last.told,
    }
    thread.optimizer = type(thread.optimizer).restore(state)


def requeue(order: Sequence[Item], history: History, max_repeats: int) -> tuple[GenerationQueue, Tally]:
    """Return the open generation's queue and the values earned, as they were at the last acknowledged trial.

    The runs are gone through one by one. Where changes were accepted, a run may have dealt out trials that are
    not of this order, and the run after it dealt out what they had left, by an order of its own.

    Args:
        order: the generation's items.
        history: with the open generation's judgements.
        max_repeats: of the protocol.

    Raises:
        SessionChangedError: the recorded trials are not those of this order.
    """
    may_differ = history.lenient or history.next_generation < history.taken
    before: list[Judgement] = []
    queue: GenerationQueue | None = GenerationQueue(order, history.first_trial, max_repeats)
    for _, run in groupby(history.judged, key=lambda judged: judged.run):
        trials = list(run)
        unlike = None if queue is None else _deal(queue, trials)
        if unlike is not None and not may_differ:
            raise _another_order(history, *unlike)
        if queue is None or unlike is not None:
            queue = _left_over(order, before, history.first_trial, max_repeats)
            if _deal(queue, trials) is not None:
                queue = None
        before += trials
    if queue is None:
        queue = _left_over(order, before, history.first_trial, max_repeats)
    tally = Tally()
    for judged in before:
        if judged.value is not None:
            tally.add(judged.image, judged.value)
    return queue, tally


def _deal(queue: GenerationQueue, trials: Sequence[Judgement]) -> tuple[Judgement, QueuedTrial | None] | None:
    """Deal trials out as they were judged; return the first that is another, and what is in its place."""
    for judged in trials:
        dealt = queue.deal() if queue.left else None
        if dealt is None or (dealt.item, dealt.attempt) != (_item(judged), judged.attempt):
            return judged, dealt
        queue.judge(dealt.trial, valid=judged.value is not None)
    return None


def _left_over(
    order: Sequence[Item], judged: Sequence[Judgement], first_trial: int, max_repeats: int
) -> GenerationQueue:
    """After accepted changes: what the new order has that has no valid trial yet."""
    attempts = {_item(one): one.attempt + 1 for one in judged}
    done = {_item(one) for one in judged if one.value is not None}
    left = [item for item in order if item not in done and attempts.get(item, 0) <= max_repeats]
    return GenerationQueue(left, first_trial + len(judged), max_repeats, attempts)


def _item(judged: Judgement) -> Item:
    return Item(judged.thread, judged.image, judged.repeat)


def _another_order(history: History, judged: Judgement, dealt: QueuedTrial | None) -> SessionChangedError:
    return SessionChangedError(
        f"{history.where}: trial {judged.trial}",
        found=f"image {judged.image}, repeat {judged.repeat}, attempt {judged.attempt}",
        expected="no further trial"
        if dealt is None
        else f"image {dealt.item.image}, repeat {dealt.item.repeat}, attempt {dealt.attempt}",
        remedy=_REMEDY,
    )
