"""The responses of recorded trials, measured again from the recorded samples.

The loop's own functions do the measuring, on the samples that the loop had. Chunks are read once, in the
order of their recording, and no more than a few seconds of them are in memory.
"""

from __future__ import annotations

import sqlite3
from collections import deque
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from itertools import chain
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd

from closedloop.errors import SessionDamagedError
from closedloop.loop.recent import RecentSamples
from closedloop.loop.rules import rule_of, value_of
from closedloop.ports import Chunk, Float64, StreamInfo
from closedloop.protocol.models import Protocol, Units
from closedloop.protocol.models import Response as ResponseSpec
from closedloop.scoring import (
    Invalid,
    Reason,
    Response,
    ResponseRule,
    respond,
    respond_to_trial,
)
from closedloop.session import SessionReader

# Samples are kept this long before the next trial's first window, as a trial may come on late.
MEMORY_S = 0.5


@dataclass(frozen=True, eq=False)
class Measured:
    """A response measured again: rates of all units, in the window and the baseline, and the one value."""

    rates_hz: Float64
    baseline_hz: Float64 | None
    value: float


@dataclass(frozen=True)
class Measuring:
    """How responses are measured.

    Attributes:
        spec: a protocol's response section.
        units: of each thread, by index.
    """

    spec: ResponseSpec
    units: Mapping[int, Units]

    @classmethod
    def of(cls, protocol: Protocol) -> Measuring:
        """Return how a protocol measures."""
        return cls(protocol.response, {i: thread.units for i, thread in enumerate(protocol.threads)})


@dataclass(frozen=True, eq=False)
class TrialAgain:
    """One trial measured again.

    Attributes:
        place: its row in the table of trials.
        measured: from all samples recorded, those of later chunks too if they come out of order.
        as_heard: from the samples that had been received when it was judged; the same in all but rare cases.
    """

    place: int
    measured: Measured | Invalid
    as_heard: Measured | Invalid

    @property
    def best(self) -> Measured | Invalid:
        """A response, if either way gives one; if both do, the one that the loop could give."""
        return self.measured if isinstance(self.as_heard, Invalid) else self.as_heard


def measure_again(
    reader: SessionReader,
    trials: pd.DataFrame,
    how: Mapping[int, Measuring],
    streams: Mapping[tuple[int, str], StreamInfo],
) -> Iterator[TrialAgain]:
    """Measure trials again, in the order of run and onset.

    Args:
        reader: of the session.
        trials: rows of its table ``trials`` that have an onset; ``place`` counts these rows.
        how: how to measure in each run.
        streams: of the session, by run and role.

    Raises:
        SessionDamagedError: samples can't be read, or a run has trials but no response stream.
        StreamMismatchError: a unit that counts is not in the stream.
    """
    chunks = _Chunks(reader)
    for run in sorted(int(run) for run in trials["run"].unique()):
        places = np.flatnonzero((trials["run"] == run).to_numpy())
        places = places[np.argsort(trials["onset_s"].to_numpy(dtype=np.float64)[places], kind="stable")]
        info = streams.get((run, "response"))
        if info is None:
            raise SessionDamagedError(
                f"{reader.path}: table streams",
                found=f"no response stream in run {run}, which has trials",
                expected="the stream that its responses were measured from",
                remedy="Work on the original file; `closedloop salvage` tells what else is missing.",
            )
        yield from _Run(chunks.of(run), how[run], info).measure(trials, places)


class _Run:
    """The trials of one run, in time."""

    def __init__(self, chunks: Iterator[Chunk], how: Measuring, info: StreamInfo) -> None:
        self._chunks = chunks
        self._recent = RecentSamples()
        self._kept: deque[Chunk] = deque()
        self._how = how
        self._rules = {thread: rule_of(how.spec, units, info) for thread, units in how.units.items()}
        self._per_trial = how.spec.kind == "trials"

    def measure(self, trials: pd.DataFrame, places: npt.NDArray[np.intp]) -> Iterator[TrialAgain]:
        columns = {name: trials[name].to_numpy() for name in ("trial", "thread", "onset_s", "judged_s")}
        for place in places:
            trial, thread = int(columns["trial"][place]), int(columns["thread"][place])
            onset_s, judged_s = float(columns["onset_s"][place]), float(columns["judged_s"][place])
            rule = self._rules[thread]
            start_s, end_s = rule.start_s(onset_s), rule.end_s(onset_s)
            # a sender that measures itself answers when it likes: all that was heard until the judgement
            until_s = max(end_s, judged_s) if self._per_trial else end_s
            self._forget(start_s - MEMORY_S)
            self._hear(until_s, judged_s)
            measured = self._one(self._recent, rule, thread, trial, onset_s, start_s, until_s)
            as_heard = measured
            if isinstance(measured, Invalid) or self._came_late(until_s, judged_s):
                as_heard = self._one(self._until(judged_s), rule, thread, trial, onset_s, start_s, until_s)
            yield TrialAgain(int(place), measured, as_heard)

    def _one(
        self,
        recent: RecentSamples,
        rule: ResponseRule,
        thread: int,
        trial: int,
        onset_s: float,
        start_s: float,
        until_s: float,
    ) -> Measured | Invalid:
        response = self._respond(recent, rule, trial, onset_s, start_s, until_s)
        if isinstance(response, Invalid):
            return response
        value = value_of(self._how.spec, self._how.units[thread], response)
        return Measured(response.rates_hz, response.baseline_hz, value)

    def _respond(
        self,
        recent: RecentSamples,
        rule: ResponseRule,
        trial: int,
        onset_s: float,
        start_s: float,
        until_s: float,
    ) -> Response | Invalid:
        times, values, segments = recent.between(onset_s if self._per_trial else start_s, until_s)
        if not len(times):
            return Invalid(Reason.NOT_COVERED, "no sample in the response window")
        if self._per_trial:
            return respond_to_trial(rule, values, trial)
        inside = segments[(times >= onset_s) & (times <= until_s)]
        if len(np.unique(inside)) > 1:
            return Invalid(Reason.NOT_COVERED, "the response stream was interrupted within the trial")
        return respond(rule, times, values, onset_s)

    def _hear(self, until_s: float, judged_s: float) -> None:
        """Read on until one chunk lies behind a time, and all are there that came before a judgement."""

        def enough(chunk: Chunk) -> bool:
            return float(chunk.times_s[0]) > until_s and not chunk.received_s <= judged_s

        if self._kept and enough(self._kept[-1]):
            return
        for chunk in self._chunks:
            self._recent.add(chunk)
            self._kept.append(chunk)
            if enough(chunk):
                return

    def _came_late(self, until_s: float, judged_s: float) -> bool:
        """Whether a sample of a trial's time was received only after the trial's judgement."""
        return any(chunk.received_s > judged_s and chunk.span_s[0] <= until_s for chunk in self._kept)

    def _forget(self, before_s: float) -> None:
        self._recent.forget(before_s)
        while len(self._kept) > 1 and float(self._kept[1].times_s[-1]) < before_s:
            self._kept.popleft()

    def _until(self, judged_s: float) -> RecentSamples:
        """Return what had been received by the time of the judgement."""
        heard = RecentSamples()
        for chunk in self._kept:
            if chunk.received_s <= judged_s:
                heard.add(chunk)
        return heard


class _Chunks:
    """All chunks of the response stream, run by run, read once."""

    def __init__(self, reader: SessionReader) -> None:
        self._all = reader.chunk_arrays("response")
        self._next: Iterator[tuple[sqlite3.Row, Float64, npt.NDArray[Any]]] = self._all

    def of(self, run: int) -> Iterator[Chunk]:
        """Yield the chunks of a run; runs must be asked for in ascending order."""
        for row, stamps, values in self._next:
            if row["run"] < run:
                continue
            if row["run"] > run:
                self._next = chain([(row, stamps, values)], self._all)
                return
            yield Chunk(
                "response",
                row["segment"],
                row["sequence"],
                stamps,
                values,
                row["correction_s"],
                row["uncertainty_s"],
                row["received_s"],
            )
