"""Brings optimizers and the queue to where a session's history ends, by what is recorded and nothing else."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from closedloop.errors import SessionChangedError
from closedloop.loop.history import Bred, History, Judgement
from closedloop.loop.order import Item
from closedloop.loop.queue import GenerationQueue
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

    Args:
        order: the generation's items.
        history: with the open generation's judgements.
        max_repeats: of the protocol.

    Raises:
        SessionChangedError: the recorded trials are not those of this order.
    """
    queue, tally = GenerationQueue(order, history.first_trial, max_repeats), Tally()
    for judged in history.judged:
        expected = queue.deal() if queue.upcoming(1) else None
        if expected is None or not _same(expected.item, expected.attempt, judged):
            if history.lenient or history.next_generation < history.taken:
                return _left_over(order, history, max_repeats)
            raise SessionChangedError(
                f"{history.where}: trial {judged.trial}",
                found=f"image {judged.image}, repeat {judged.repeat}, attempt {judged.attempt}",
                expected="no further trial"
                if expected is None
                else f"image {expected.item.image}, "
                f"repeat {expected.item.repeat}, attempt {expected.attempt}",
                remedy=_REMEDY,
            )
        queue.judge(expected.trial, valid=judged.value is not None)
        _count(judged, tally)
    return queue, tally


def _left_over(order: Sequence[Item], history: History, max_repeats: int) -> tuple[GenerationQueue, Tally]:
    """After accepted changes: what the new order has that has no valid trial yet."""
    tally = Tally()
    attempts: dict[Item, int] = {}
    done: set[Item] = set()
    for judged in history.judged:
        item = Item(judged.thread, judged.image, judged.repeat)
        attempts[item] = judged.attempt + 1
        if judged.value is not None:
            done.add(item)
        _count(judged, tally)
    left = [item for item in order if item not in done and attempts.get(item, 0) <= max_repeats]
    first = history.first_trial + len(history.judged)
    return GenerationQueue(left, first, max_repeats, attempts), tally


def _same(item: Item, attempt: int, judged: Judgement) -> bool:
    return (item.thread, item.image, item.repeat, attempt) == (
        judged.thread,
        judged.image,
        judged.repeat,
        judged.attempt,
    )


def _count(judged: Judgement, tally: Tally) -> None:
    if judged.value is not None:
        tally.add(judged.image, judged.value)
