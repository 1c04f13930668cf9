from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from session_factory import SessionPlan, write_session

from closedloop.errors import SessionChangedError, SessionDamagedError
from closedloop.loop.history import History, Judgement, read_history
from closedloop.loop.order import Item
from closedloop.loop.queue import GenerationQueue
from closedloop.loop.relive import requeue
from closedloop.session import SessionReader
from closedloop.session.database import FILE_NAME, open_writer

ORDER = tuple(Item(0, image, 0) for image in (4, 7, 5, 6))


def judged(*verdicts: tuple[int, int, float | None]) -> list[Judgement]:
    """Judgements from trial 10 on, of (image, attempt, value)."""
    return [
        Judgement(10 + n, 0, image, 0, attempt, value) for n, (image, attempt, value) in enumerate(verdicts)
    ]


def past(*verdicts: tuple[int, int, float | None], lenient: bool = False) -> History:
    return History("file", first_trial=10, judged=judged(*verdicts), lenient=lenient)


def left(queue: GenerationQueue) -> list[tuple[int, int, int]]:
    found = []
    while queue.upcoming(1):
        trial = queue.deal()
        found.append((trial.trial, trial.item.image, trial.attempt))
    return found


def test_the_queue_goes_on_after_the_last_judgement() -> None:
    queue, tally = requeue(ORDER, past((4, 0, 1.5), (7, 0, None), (5, 0, 2.5)), max_repeats=3)
    assert left(queue) == [(13, 6, 0), (14, 7, 1)]
    assert (tally.of(4), tally.of(7), tally.of(5)) == ([1.5], [], [2.5])


def test_a_generation_of_which_all_is_judged_has_nothing_left() -> None:
    verdicts = [(4, 0, 1.0), (7, 0, None), (5, 0, 2.0), (6, 0, 3.0), (7, 1, None)]
    queue, _ = requeue(ORDER, past(*verdicts), max_repeats=1)
    assert queue.left == 0
    assert [item.image for item in queue.given_up] == [7]
    assert queue.next_trial == 15


def test_trials_of_another_order_are_refused_by_number() -> None:
    with pytest.raises(SessionChangedError, match="trial 11") as refused:
        requeue(ORDER, past((4, 0, 1.0), (6, 0, 1.0)), max_repeats=3)
    assert "image 6" in refused.value.found
    assert "image 7" in refused.value.expected


def test_accepted_changes_leave_what_has_no_valid_trial_yet() -> None:
    history = past((6, 0, 1.0), (5, 0, None), (4, 0, 2.0), lenient=True)
    queue, tally = requeue(ORDER, history, max_repeats=3)
    assert left(queue) == [(13, 7, 0), (14, 5, 1)]
    assert tally.of(6) == [1.0]


@pytest.mark.parametrize(
    ("damage", "says"),
    [
        (
            "DELETE FROM scores WHERE image = (SELECT max(image) FROM scores WHERE generation = 1)",
            "generation 1",
        ),
        ("DELETE FROM images WHERE generation = 1 AND row = 2", "generation 1"),
        ("DELETE FROM generations WHERE generation = 0", "follow each other"),
    ],
)
def test_a_file_with_holes_is_refused_where_they_are(tmp_path: Path, damage: str, says: str) -> None:
    folder = write_session(tmp_path / "s", SessionPlan(generations=3))
    connection = open_writer(folder / FILE_NAME)
    connection.execute("PRAGMA foreign_keys = OFF")
    connection.execute(damage)
    connection.close()
    with SessionReader(folder) as reader, pytest.raises(SessionDamagedError, match=says):
        read_history(reader)


def test_a_blank_history_is_a_beginning() -> None:
    history = History("file")
    assert (history.next_generation, history.first_trial, history.next_image) == (0, 0, 0)
    assert history.first_population(0) is None
    assert not np.any(history.judged)
