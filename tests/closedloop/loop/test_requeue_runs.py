"""What a generation has left, where several runs worked on it."""

from __future__ import annotations

import pytest

from closedloop.errors import SessionChangedError
from closedloop.loop.history import History, Judgement
from closedloop.loop.order import Item
from closedloop.loop.relive import requeue

ORDER = tuple(Item(0, image, 0) for image in (4, 7, 5, 6))
# of another order: image 5 had no valid answer
FIRST_RUN = (Judgement(10, 0, 6, 0, 0, 1.0, 0), Judgement(11, 0, 5, 0, 0, None, 0))


def taken(*judged: Judgement) -> History:
    """A generation that was open when changes were accepted."""
    return History("file", first_trial=10, judged=judged, taken=1)


def left(history: History) -> list[tuple[int, int, int]]:
    queue, _ = requeue(ORDER, history, max_repeats=3)
    dealt = [queue.deal() for _ in range(queue.left)]
    return [(trial.trial, trial.item.image, trial.attempt) for trial in dealt]


def test_a_run_after_accepted_changes_deals_out_what_is_left_by_its_own_order() -> None:
    assert left(taken(*FIRST_RUN)) == [(12, 4, 0), (13, 7, 0), (14, 5, 1)]


def test_an_image_that_fails_after_accepted_changes_waits_at_the_end() -> None:
    failed = Judgement(12, 0, 4, 0, 0, None, 1)
    assert left(taken(*FIRST_RUN, failed)) == [(13, 7, 0), (14, 5, 1), (15, 4, 1)]


def test_each_run_is_told_apart() -> None:
    # had one run judged both, image 4 would stand at the end
    put_back = (Judgement(12, 0, 4, 0, 0, None, 1), Judgement(13, 0, 4, 0, 1, 1.0, 2))
    assert left(taken(*FIRST_RUN, *put_back)) == [(14, 7, 0), (15, 5, 1)]


def test_nothing_but_accepted_changes_makes_another_order() -> None:
    history = History("file", first_trial=10, judged=FIRST_RUN)
    with pytest.raises(SessionChangedError, match="trial 10"):
        requeue(ORDER, history, max_repeats=3)
