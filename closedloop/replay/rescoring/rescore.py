"""Measures and scores a recorded session again, and says what the search would have made of it."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from scipy.stats import spearmanr

from closedloop.loop.scorer import GenerationScores, score_generation
from closedloop.loop.tally import Tally
from closedloop.optimizers import parent_odds
from closedloop.optimizers.registry import optimizer_parameters
from closedloop.ports import Float64
from closedloop.protocol.models import Protocol, Thread
from closedloop.replay.recorded import Recorded
from closedloop.replay.rescoring.settings import with_settings
from closedloop.replay.samples import Measured, Measuring, measure_again
from closedloop.scoring import Curve, curve

_LEAST_IMAGES = 3  # fewer have no order to speak of


@dataclass(frozen=True, eq=False)
class RescoredGeneration:
    """One generation of one thread, as recorded and scored again.

    Attributes:
        generation: which.
        recorded: (n,) what the optimizer was told, by row.
        again: (n,) what it would have been told.
        recorded_means: (n + k,) mean responses of evolved images and references, as recorded.
        again_means: the same, measured again.
        evolved: n.
        without: valid trials that have no response when measured like this.
        rank_correlation: Spearman's, of the two scores over images that have both; NaN below three.
        same_parents: chance that a parent drawn from one would be drawn from the other, 0 to 1; NaN where
            the optimizer has no such odds.
        same_elite: how many of the images kept as the best are the same, 0 to 1; NaN where none is kept.
    """

    generation: int
    recorded: Float64
    again: Float64
    recorded_means: Float64
    again_means: Float64
    evolved: int
    without: int
    rank_correlation: float
    same_parents: float
    same_elite: float

    @property
    def equal(self) -> bool:
        """Whether scores and means are the recorded ones, to the bit."""
        return np.array_equal(self.recorded, self.again, equal_nan=True) and np.array_equal(
            self.recorded_means, self.again_means, equal_nan=True
        )


@dataclass(frozen=True, eq=False)
class RescoredThread:
    """One evolution and its finished generations."""

    index: int
    name: str
    generations: Sequence[RescoredGeneration]

    def curve(self, *, again: bool) -> Curve:
        """Mean responses, evolved against references, as recorded or measured again."""
        columns = [self._columns(one, again=again) for one in self.generations]
        numbers, references, means = (
            np.concatenate([column[i] for column in columns]) if columns else np.empty(0) for i in range(3)
        )
        return curve(numbers, references, means)

    def points(self, *, again: bool) -> tuple[Float64, Float64]:
        """Generation and mean response of every evolved image."""
        columns = [self._columns(one, again=again) for one in self.generations]
        if not columns:
            return np.empty(0), np.empty(0)
        numbers, references, means = (np.concatenate([column[i] for column in columns]) for i in range(3))
        evolved = ~references.astype(bool)
        return numbers[evolved].astype(np.float64), means[evolved]

    @staticmethod
    def _columns(one: RescoredGeneration, *, again: bool) -> tuple[Float64, Float64, Float64]:
        means = one.again_means if again else one.recorded_means
        numbers = np.full(len(means), one.generation, dtype=np.float64)
        references = (np.arange(len(means)) >= one.evolved).astype(np.float64)
        return numbers, references, means


@dataclass(frozen=True, eq=False)
class Rescored:
    """A session scored again.

    Attributes:
        recorded: the session.
        protocol: by which it was scored again.
        settings: what was asked for.
        threads: the evolutions.
    """

    recorded: Recorded
    protocol: Protocol
    settings: tuple[str, ...]
    threads: Sequence[RescoredThread]

    @property
    def equal(self) -> bool:
        """Whether every score is the recorded one, to the bit."""
        return all(one.equal for thread in self.threads for one in thread.generations)


def rescore(
    recorded: Recorded,
    protocol: Protocol,
    settings: Sequence[str] = (),
    progress: Callable[[float], None] = lambda _share: None,
) -> Rescored:
    """Score a session again.

    Trials that were valid count; one that has no response when it is measured like this (its window is not
    covered by samples, say) is left out and counted. Invalid trials stay out: their images were shown again.

    Args:
        recorded: the session.
        protocol: that of its last run, with other response and units sections.
        settings: what was asked for; runs before that had another protocol are scored by theirs, with these.
        progress: told how far it is, 0 to 1.

    Raises:
        ProtocolError: a setting does not go with the protocol of an earlier run.
        StreamMismatchError: a unit that is not in the stream.
        SessionError: the samples can't be read.
    """
    trials = recorded.trials
    valid = trials[(trials["status"] == "valid") & trials["onset_s"].notna()].reset_index(drop=True)
    protocols = {
        run: protocol if own == recorded.protocol else with_settings(own, settings)
        for run, own in recorded.protocols.items()
    }
    how = {run: Measuring.of(one) for run, one in protocols.items()}
    values: list[float] = [float("nan")] * len(valid)
    for done, one in enumerate(measure_again(recorded.reader, valid, how, recorded.streams)):
        best = one.best
        if isinstance(best, Measured):
            values[one.place] = best.value
        progress(done / len(valid))
    # in the order of judgement, in which the loop averaged them
    tallies: dict[tuple[int, int], Tally] = {}
    without: dict[tuple[int, int], int] = {}
    for thread, generation, image, value in zip(
        valid["thread"], valid["generation"], valid["image"], values, strict=True
    ):
        key = (int(thread), int(generation))
        if np.isnan(value):
            without[key] = without.get(key, 0) + 1
        else:
            tallies.setdefault(key, Tally()).add(int(image), value)
    threads = []
    for index, spec in enumerate(protocol.threads):
        finished = sorted(g for t, g in recorded.finished_generations if t == index)
        generations = [
            _generation(
                recorded,
                protocols.get(recorded.worked.get((index, generation), (0, -1))[1], protocol),
                index,
                generation,
                tallies.get((index, generation), Tally()),
                without.get((index, generation), 0),
            )
            for generation in finished
        ]
        threads.append(RescoredThread(index, spec.name, generations))
    return Rescored(recorded, protocol, tuple(settings), threads)


def _generation(
    recorded: Recorded,
    protocol: Protocol,
    index: int,
    generation: int,
    tally: Tally,
    without: int,
) -> RescoredGeneration:
    evolved = recorded.evolved(index, generation)
    table = recorded.scores_of(index, generation)
    references = [image for image in recorded.references(index) if image in table.index]
    again: GenerationScores = score_generation(
        index, generation, evolved, references, tally, protocol.response.normalise
    )
    was = table.reindex([*evolved, *references])
    told = was["score"].to_numpy(dtype=np.float64)[: len(evolved)]
    parents, elite = _chosen(protocol.threads[index], told, again.told)
    return RescoredGeneration(
        generation=generation,
        recorded=told,
        again=again.told,
        recorded_means=was["mean"].to_numpy(dtype=np.float64),
        again_means=np.array([record.mean for record in again.records]),
        evolved=len(evolved),
        without=without,
        rank_correlation=_rank_correlation(told, again.told),
        same_parents=parents,
        same_elite=elite,
    )


def _rank_correlation(one: Float64, other: Float64) -> float:
    both = np.isfinite(one) & np.isfinite(other)
    if both.sum() < _LEAST_IMAGES:
        return float("nan")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # scores that are all the same have no order: NaN says so
        return float(spearmanr(one[both], other[both]).statistic)


def _chosen(spec: Thread, one: Float64, other: Float64) -> tuple[float, float]:
    """Return how much of the parents and of the elite two sets of scores share."""
    parameters = optimizer_parameters(spec.optimizer.name, spec.optimizer.preset, spec.optimizer.parameters)
    selectivity = getattr(parameters, "selectivity", None)
    conserve = getattr(parameters, "n_conserve", 0)
    parents = elite = float("nan")
    if selectivity is not None:
        odds, others = parent_odds(one, selectivity), parent_odds(other, selectivity)
        if odds.any() and others.any():
            parents = float(np.minimum(odds, others).sum())
    if conserve and np.isfinite(one).any() and np.isfinite(other).any():
        best, others_best = _best(one, conserve), _best(other, conserve)
        elite = len(best & others_best) / max(len(best), len(others_best))
    return parents, elite


def _best(scores: Float64, n: int) -> set[int]:
    known = int(np.isfinite(scores).sum())
    # NaN sorts last; of equal scores the earlier row comes first, as the optimizer has it
    return {int(row) for row in np.argsort(-scores, kind="stable")[: min(n, known)]}
