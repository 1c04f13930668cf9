"""Spikes that come out of order, after their trial was judged: the record follows from what the loop had heard."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from simulated_session import prepare

from closedloop.ports import Chunk, SourceEvent
from closedloop.replay.recorded import read_recorded
from closedloop.replay.rescoring import rescore
from closedloop.replay.samples import Measured, Measuring, measure_again
from closedloop.session import SessionReader
from experiments.replay_verify import compare_evolution

LATE_S = 0.03


def every_third_late(poll: Callable[[], Sequence[SourceEvent]]) -> Callable[[], Sequence[SourceEvent]]:
    """Let a sign of life come in the place of every third spike, and the spike itself later."""
    held: list[tuple[float, float]] = []  # stamp, unit
    count = 0

    def disorder(event: SourceEvent) -> SourceEvent:
        nonlocal count
        if not isinstance(event, Chunk) or event.role != "response":
            return event
        stamps, values = event.stamps_raw_s, event.values.copy()
        due = [spike for spike in held if spike[0] < stamps[-1] - LATE_S]
        held[:] = held[len(due) :]
        for row in np.flatnonzero(values[:, 0] >= 0):
            count += 1
            if count % 3 == 0:
                held.append((float(stamps[row]), float(values[row, 0])))
                values[row, 0] = -1
        before = np.array(due).reshape(-1, 2)
        return replace(
            event,
            stamps_raw_s=np.concatenate([before[:, 0], stamps]),
            values=np.concatenate([before[:, 1:].astype(values.dtype), values]),
        )

    return lambda: [disorder(event) for event in poll()]


@pytest.fixture(scope="module")
def disordered(tmp_path_factory: pytest.TempPathFactory) -> Path:
    session = prepare(
        tmp_path_factory.mktemp("late") / "spikes",
        "response.kind=spikes",
        "response.expected_rate_hz=null",
        "limits.generations=2",
        poisson=True,
    )
    source = session.rig.source
    source.poll = every_third_late(source.poll)  # type: ignore[method-assign]  # the sender's order, and nothing else
    session.run()
    return session.folder


def test_a_spike_that_comes_after_the_judgement_does_not_count(disordered: Path) -> None:
    with SessionReader(disordered) as reader:
        recorded = read_recorded(reader)
        trials = recorded.trials[recorded.trials["status"] == "valid"].reset_index(drop=True)
        how = {0: Measuring.of(recorded.protocol)}
        again = list(measure_again(reader, trials, how, recorded.streams))
        late = [
            one
            for one in again
            if isinstance(one.measured, Measured)
            and isinstance(one.as_heard, Measured)
            and one.measured.value != one.as_heard.value
        ]
        assert late
        assert all(
            isinstance(one.best, Measured) and one.best.value == trials["value"][one.place] for one in again
        )


def test_such_a_session_verifies_and_scores_as_recorded(disordered: Path) -> None:
    with SessionReader(disordered) as reader:
        recorded = read_recorded(reader)
        assert [str(one) for one in compare_evolution(reader).differences] == []
        assert rescore(recorded, recorded.protocol).equal
