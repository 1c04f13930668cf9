"""The genetic algorithm of XDream.

Source: Xiao W, Kreiman G (2020), XDream: finding preferred stimuli for visual neurons using generative
networks and gradient-free optimization, PLoS Comput Biol 16(6): e1007973; used on neurons by Ponce et al.
(2019), Cell 177:999. Written anew from the published method. Where the papers are silent, the published
program decides; docs/optimizers.md lists these points.
"""

from __future__ import annotations

from typing import ClassVar

import numpy as np
from numpy.typing import NDArray

from closedloop.optimizers.base import NO_PARENT, Origin, Population
from closedloop.optimizers.genetic_parameters import GeneticParameters
from closedloop.optimizers.stepwise import PopulationParameters, StepwiseOptimizer

CLIP_PERCENTILE = 95.0
LEAST_KT = 1e-8


def parent_odds(scores: NDArray[np.float64], selectivity: float) -> NDArray[np.float64]:
    """Return each code's chance of being drawn as a parent.

    The chance is proportional to exp((s - s_max) / kT). kT is max(std / selectivity, 1e-8), with the
    standard deviation (ddof 0) of the scores as they are; s and s_max are the scores after clipping them
    at their 95th percentile (linear interpolation), so that one outlier does not father everyone.

    Args:
        scores: float64 (n,), NaN where a code has no score.
        selectivity: above 0; the larger, the fewer codes become parents.

    Returns:
        float64 (n,), summing to 1; 0 for codes without a score; all 0 if no code has one.
    """
    odds = np.zeros(len(scores))
    valid = ~np.isnan(scores)
    if not valid.any():
        return odds
    known = scores[valid]
    kt = max(float(np.std(known)) / selectivity, LEAST_KT)
    clipped = np.minimum(known, np.percentile(known, CLIP_PERCENTILE))
    weights = np.exp((clipped - clipped.max()) / kt)
    odds[valid] = weights / weights.sum()
    return odds


def breed(
    codes: NDArray[np.float32],
    parents: NDArray[np.int32],
    parameters: GeneticParameters,
    random: np.random.Generator,
) -> NDArray[np.float32]:
    """Return one child for each pair of parents: mixed number by number, then mutated.

    Args:
        codes: float32 (n, d).
        parents: int32 (k, 2), rows of ``codes``.
        parameters: heritability, mutation_rate and mutation_size are used.
        random: where the chances come from.

    Returns:
        float32 (k, d).
    """
    shape = (len(parents), codes.shape[1])
    from_first = random.random(shape, dtype=np.float32) < parameters.heritability
    # in C order, so that the flat view below is a view, whatever the order of ``codes``
    children = np.ascontiguousarray(np.where(from_first, codes[parents[:, 0]], codes[parents[:, 1]]))
    mutated = np.flatnonzero(random.random(shape, dtype=np.float32) < parameters.mutation_rate)
    steps = random.standard_normal(len(mutated), dtype=np.float32)
    steps *= np.float32(parameters.mutation_size)
    children.reshape(-1)[mutated] += steps
    return children


class GeneticAlgorithm(StepwiseOptimizer[GeneticParameters]):
    """XDream's genetic algorithm; see the module's docstring for the source.

    A new generation's rows are: the best codes kept (best first), the children, the codes carried over
    because they have no score. Without any score the whole generation is carried over.
    """

    name: ClassVar[str] = "genetic"
    parameters_type: ClassVar[type[PopulationParameters]] = GeneticParameters

    def _first(self, given: NDArray[np.float32] | None, random: np.random.Generator) -> Population:
        n = self.parameters.population
        if given is None:
            codes = random.standard_normal((n, self.code_size), dtype=np.float32)
            return Population(
                0, codes, np.full((n, 2), NO_PARENT, np.int32), np.full(n, Origin.RANDOM, np.int8)
            )
        kept = len(given)
        parents = np.full((n, 2), NO_PARENT, np.int32)
        parents[kept:] = random.integers(kept, size=(n - kept, 2))
        codes = np.concatenate([given, breed(given, parents[kept:], self.parameters, random)])
        origin = np.full(n, Origin.GIVEN, np.int8)
        origin[kept:] = Origin.BRED
        return Population(0, codes, parents, origin)

    def _next(self, last: Population, scores: NDArray[np.float64], random: np.random.Generator) -> Population:
        elite, carried = self._kept(scores)
        n_children = len(last) - len(elite) - len(carried)
        pairs = np.empty((0, 2), np.int32)
        if n_children:
            odds = parent_odds(scores, self.parameters.selectivity)
            pairs = random.choice(len(last), size=(n_children, 2), p=odds).astype(np.int32)
        children = breed(last.codes, pairs, self.parameters, random)
        return Population(
            generation=last.generation + 1,
            codes=np.concatenate([last.codes[elite], children, last.codes[carried]]),
            parents=np.concatenate([_single(elite), pairs, _single(carried)]),
            origin=np.repeat(
                np.array([Origin.ELITE, Origin.BRED, Origin.CARRIED], np.int8),
                [len(elite), n_children, len(carried)],
            ),
        )

    def _kept(self, scores: NDArray[np.float64]) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
        """Return the rows to conserve, best first, and the rows without a score.

        The order is that of the scores before clipping; of equal scores the earlier row comes first.
        """
        carried = np.flatnonzero(np.isnan(scores))
        # NaN sorts last, hence never among the best
        best_first = np.argsort(-scores, kind="stable")[: len(scores) - len(carried)]
        return best_first[: self.parameters.n_conserve], carried


def _single(rows: NDArray[np.int64]) -> NDArray[np.int32]:
    return np.stack([rows, np.full_like(rows, NO_PARENT)], axis=1).astype(np.int32)
