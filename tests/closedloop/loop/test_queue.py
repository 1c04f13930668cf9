from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from closedloop.loop.order import Item
from closedloop.loop.queue import GenerationQueue

ITEMS = tuple(Item(0, image, 0) for image in range(5))


def test_trials_are_numbered_from_the_first() -> None:
    queue = GenerationQueue(ITEMS, first_trial=100, max_repeats=1)
    dealt = [queue.deal() for _ in ITEMS]
    assert [trial.trial for trial in dealt] == [100, 101, 102, 103, 104]
    assert queue.next_trial == 105
    assert queue.left == 5


def test_an_invalid_trial_is_shown_again_at_the_end_under_a_new_number() -> None:
    queue = GenerationQueue(ITEMS, first_trial=0, max_repeats=1)
    queue.judge(queue.deal().trial, valid=False)
    rest = [queue.deal() for _ in range(5)]
    assert [(trial.trial, trial.item.image, trial.attempt) for trial in rest][-1] == (5, 0, 1)
    for trial in rest:
        queue.judge(trial.trial, valid=True)
    assert queue.left == 0
    assert queue.given_up == []


def test_an_image_is_given_up_after_its_repeats() -> None:
    queue = GenerationQueue(ITEMS[:1], first_trial=0, max_repeats=2)
    for attempt in range(3):
        trial = queue.deal()
        assert trial.attempt == attempt
        queue.judge(trial.trial, valid=False)
    assert queue.left == 0
    assert queue.given_up == [ITEMS[0]]


@given(st.lists(st.booleans(), max_size=60), st.integers(1, 4))
def test_the_order_does_not_depend_on_how_far_ahead_trials_are_dealt(fates: list[bool], ahead: int) -> None:
    """Resume deals again with another lookahead, and must meet the same trials under the same numbers."""

    def play(lookahead: int) -> list[tuple[int, int, int]]:
        queue = GenerationQueue(ITEMS, first_trial=0, max_repeats=3)
        verdicts = iter(fates)
        dealt = []
        while queue.left:
            while len(queue.in_flight) < lookahead and queue.upcoming(1):
                trial = queue.deal()
                dealt.append((trial.trial, trial.item.image, trial.attempt))
            queue.judge(queue.in_flight[0].trial, valid=next(verdicts, True))
        return dealt

    assert play(1) == play(ahead)


def test_a_judgement_can_not_go_to_another_trial() -> None:
    queue = GenerationQueue(ITEMS, first_trial=0, max_repeats=1)
    queue.deal()
    second = queue.deal()
    with pytest.raises(ValueError, match="trial 1 was judged where trial 0"):
        queue.judge(second.trial, valid=True)
