"""Breeds every generation again and compares codes and parents."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, cast

import numpy as np
import numpy.typing as npt

from closedloop.loop.threads import EvolutionThread
from closedloop.optimizers import (
    Optimizer,
    Origin,
    Population,
    make_optimizer,
    optimizer_parameters,
    restore_optimizer,
)
from closedloop.protocol.models import OptimizerSpec
from closedloop.replay.recorded import Recorded
from closedloop.replay.verification.difference import Check, Difference, Verification
from closedloop.replay.verification.scores import scores_again

Codes = npt.NDArray[np.float32]


class Breeder:
    """One evolution, bred again.

    Args:
        recorded: the session.
        thread: the evolution at its first generation.
        found: takes what is found.
    """

    def __init__(self, recorded: Recorded, thread: EvolutionThread, found: Verification) -> None:
        self._recorded = recorded
        self._thread = thread
        self._name = thread.spec.name
        self._found = found
        self._optimizer: Optimizer = thread.optimizer
        self._by = self._breeding(0)
        self._population: Population | None = None

    def breed(self, generation: int) -> Codes:
        """Breed a generation from the recorded scores of the one before, compare it, return its codes (n, d)."""
        population = self._next(generation)
        self._population = population
        self._found.count(Check.CODES, len(population))
        for one in self._unlike(generation, population):
            self._found.differences.append(one)
        return population.codes

    def _next(self, generation: int) -> Population:
        if self._population is None:
            return self._optimizer.ask()
        told, again = self._told(generation - 1)
        self._go_by(generation)
        before = self._optimizer.state
        self._optimizer.tell(told)
        population = self._optimizer.ask()
        if np.array_equal(told, again, equal_nan=True) or not self._unlike(generation, population):
            return population
        # One score is not what its trials give. If the codes follow from what they give, then only that
        # score was changed afterwards, and the rest need not be called different.
        other = cast("Optimizer", restore_optimizer(before))
        other.tell(again)
        from_trials = other.ask()
        if self._unlike(generation, from_trials):
            return population
        self._optimizer = other
        return from_trials

    def _breeding(self, generation: int) -> tuple[int, OptimizerSpec]:
        """What of the protocol a generation's codes hang on, as it held in the run that bred it."""
        protocol = self._recorded.bred_by(self._thread.index, generation)
        return protocol.seed, protocol.threads[self._thread.index].optimizer

    def _go_by(self, generation: int) -> None:
        """Take over the last population, as the loop does, if a run went on with another seed or optimizer."""
        by = self._breeding(generation)
        if by == self._by:
            return
        self._by = (seed, spec) = by
        last = self._population
        assert last is not None  # noqa: S101  # only asked for after the first generation
        fresh = make_optimizer(
            optimizer_parameters(spec.name, spec.preset, spec.parameters),
            code_size=last.codes.shape[1],
            seed=seed,
            thread=self._thread.index,
        )
        state = fresh.state | {
            "generation": last.generation,
            "codes": last.codes,
            "parents": last.parents,
            "origin": last.origin,
            "scores": None,
        }
        self._optimizer = cast("Optimizer", restore_optimizer(state))

    def _told(self, generation: int) -> tuple[npt.NDArray[np.float64], npt.NDArray[np.float64]]:
        """Return the recorded scores of a population by row, and those that its trials give."""
        recorded, index = self._recorded, self._thread.index
        assert self._population is not None  # noqa: S101  # only asked for after the first generation
        told = np.full(len(self._population), np.nan)
        images = recorded.evolved(index, generation)[: len(told)]
        table = recorded.scores
        table = table[(table["thread"] == index) & (table["generation"] == generation)].set_index("image")
        told[: len(images)] = table["score"].reindex(images).to_numpy(dtype=np.float64)
        scored = scores_again(recorded, index, generation)
        again = scored.told if len(scored.told) == len(told) else told
        return told, again

    def _unlike(self, generation: int, population: Population) -> Sequence[Difference]:
        table = self._recorded.images
        table = table[
            (table["kind"] == "evolved")
            & (table["thread"] == self._thread.index)
            & (table["generation"] == generation)
        ].sort_values("row")
        place: dict[str, Any] = {"generation": generation, "thread": self._name}
        if list(table["row"]) != list(range(len(population))):
            detail = f"{len(table)} codes are recorded; {len(population)} are bred"
            return [Difference(Check.CODES, "population", detail, **place)]
        differences = []
        origins = [Origin(int(origin)).name.lower() for origin in population.origin]
        parents = table[["parent_1", "parent_2"]].astype("Int64").fillna(-1).to_numpy(dtype=np.int64)
        for row, (image, origin) in enumerate(zip(table["image"], table["origin"], strict=True)):
            at = {**place, "row": row, "image": int(image)}
            code = self._recorded.reader.code(int(image))
            if code is None or code.tobytes() != population.codes[row].tobytes():
                detail = _code_detail(code, population.codes[row])
                differences.append(Difference(Check.CODES, "code", detail, **at))
            elif origin != origins[row] or (parents[row] != population.parents[row]).any():
                detail = (
                    f"recorded {origin} of rows {parents[row].tolist()};"
                    f" bred {origins[row]} of rows {population.parents[row].tolist()}"
                )
                differences.append(Difference(Check.CODES, "parents", detail, **at))
        return differences


def _code_detail(recorded: Codes | None, bred: Codes) -> str:
    if recorded is None or recorded.shape != bred.shape:
        found = "no code" if recorded is None else f"{len(recorded)} numbers"
        return f"recorded {found}; bred {len(bred)} numbers"
    unlike = np.flatnonzero(recorded.view(np.uint32) != bred.view(np.uint32))
    first = int(unlike[0])
    return (
        f"{len(unlike)} of {len(bred)} numbers differ, first number {first}:"
        f" recorded {recorded[first]:.9g}, bred {bred[first]:.9g}"
    )
