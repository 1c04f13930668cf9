"""Common ground of optimizers whose next generation follows from the last one and its scores alone.

A new optimizer of this kind writes two methods, ``_first`` and ``_next``; ask, tell, state, restore and the
checks are here. Its random numbers come from the generator it is handed, which is made anew for each
generation, so that the state is the current population and its scores, and nothing more.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import Any, ClassVar, Generic, TypeVar

import numpy as np
from numpy.typing import ArrayLike, NDArray
from pydantic import BaseModel, Field, ValidationError

from closedloop.errors import CodeError
from closedloop.optimizers.base import Population
from closedloop.optimizers.checks import checked_codes, checked_scores
from closedloop.seeds import Purpose, random_for

STATE_VERSION = 1


class PopulationParameters(BaseModel, frozen=True, extra="forbid"):
    """What every stepwise optimizer needs to know.

    A subclass gives ``name`` as a Literal with a default, which tells the parameters apart in a protocol.
    """

    name: str
    population: int = Field(default=20, ge=2, le=10_000, description="Codes in each generation.")


P = TypeVar("P", bound=PopulationParameters)
S = TypeVar("S", bound="StepwiseOptimizer[Any]")


class StepwiseOptimizer(ABC, Generic[P]):
    """Base of the optimizers that know only the last generation.

    Args:
        parameters: the optimizer's own parameters.
        code_size: numbers in a code (d).
        seed: the session's seed, 0 or more.
        thread: index of the evolution within the session.
        given: float (k, d), codes that the first generation starts with; None for random ones.

    Raises:
        CodeError: ``given`` does not fit, or a number is out of range.
    """

    name: ClassVar[str]
    parameters_type: ClassVar[type[PopulationParameters]]

    def __init__(
        self,
        parameters: P,
        *,
        code_size: int,
        seed: int,
        thread: int = 0,
        given: ArrayLike | None = None,
    ) -> None:
        _checked_counts(self.name, code_size=code_size, seed=seed, thread=thread)
        self.parameters = parameters
        self.code_size = code_size
        self.seed = seed
        self.thread = thread
        self._scores: NDArray[np.float64] | None = None
        codes = None
        if given is not None:
            codes = checked_codes(
                f"{self.name} optimizer, given codes", given, code_size, parameters.population
            )
        self._population = self._first(codes, self._random(0))

    @abstractmethod
    def _first(self, given: NDArray[np.float32] | None, random: np.random.Generator) -> Population:
        """Make generation 0."""

    @abstractmethod
    def _next(self, last: Population, scores: NDArray[np.float64], random: np.random.Generator) -> Population:
        """Make the generation after ``last``, whose ``scores`` (n,) are finite or NaN."""

    def ask(self) -> Population:
        """Return the population to be shown now; the same one until ``tell``."""
        if self._scores is not None:
            random = self._random(self._population.generation + 1)
            self._population = self._next(self._population, self._scores, random)
            self._scores = None
        return self._population

    def tell(self, scores: NDArray[np.float64]) -> None:
        """Take the scores, float64 (n,), of the population last asked for; NaN for none.

        Raises:
            CodeError: wrong shape or type, infinite, or told twice for one generation.
        """
        where = f"{self.name} optimizer, generation {self._population.generation}"
        if self._scores is not None:
            raise CodeError(
                where,
                found="scores told a second time",
                expected="one set of scores a generation",
                remedy="Ask for the next generation first.",
            )
        self._scores = checked_scores(where, scores, len(self._population))

    @property
    def state(self) -> dict[str, Any]:
        """Everything needed to go on: plain JSON values and arrays (copies).

        Keys: version, optimizer, parameters (dict), seed, thread, generation, codes float32 (n, d),
        parents int32 (n, 2), origin int8 (n,), scores float64 (n,) or None if not told yet.
        """
        return {
            "version": STATE_VERSION,
            "optimizer": self.name,
            "parameters": self.parameters.model_dump(mode="json"),
            "seed": self.seed,
            "thread": self.thread,
            "generation": self._population.generation,
            "codes": self._population.codes.copy(),
            "parents": self._population.parents.copy(),
            "origin": self._population.origin.copy(),
            "scores": None if self._scores is None else self._scores.copy(),
        }

    @classmethod
    def restore(cls: type[S], state: dict[str, Any]) -> S:
        """Return an optimizer that goes on from ``state``.

        Raises:
            CodeError: the state is another optimizer's, or its parts do not fit each other.
        """
        where = f"{cls.name} optimizer, stored state"
        remedy = "Restore the state that this optimizer wrote, unchanged."
        try:
            if (state["optimizer"], state["version"]) != (cls.name, STATE_VERSION):
                found = f"state version {state['version']} of the optimizer {state['optimizer']!r}"
                raise CodeError(
                    where, found=found, expected=f"version {STATE_VERSION} of {cls.name!r}", remedy=remedy
                )
            parameters = cls.parameters_type.model_validate(state["parameters"])
            population = _stored_population(where, state, parameters.population)
            restored = cls.__new__(cls)
            restored.parameters = parameters
            restored.code_size = population.codes.shape[1]
            restored.seed, restored.thread = int(state["seed"]), int(state["thread"])
            restored._population = population
            scores = state["scores"]
            restored._scores = None if scores is None else checked_scores(where, scores, len(population))
        except KeyError as error:
            raise CodeError(
                where, found=f"no entry {error}", expected="every entry", remedy=remedy
            ) from error
        except (TypeError, ValueError, ValidationError) as error:
            raise CodeError(where, found=str(error), expected="entries that fit", remedy=remedy) from error
        return restored

    def _random(self, generation: int) -> np.random.Generator:
        return random_for(self.seed, Purpose.BREEDING, self.thread, generation)


def _stored_population(where: str, state: dict[str, Any], n: int) -> Population:
    if np.ndim(state["codes"]) != 2 or len(state["codes"]) != n:
        raise ValueError(f"codes of shape {np.shape(state['codes'])} for a population of {n}")
    codes = checked_codes(where, state["codes"], np.shape(state["codes"])[-1], n)
    parents = np.array(state["parents"], dtype=np.int32)
    origin = np.array(state["origin"], dtype=np.int8)
    if parents.shape != (n, 2) or origin.shape != (n,):
        raise ValueError(f"{n} codes, parents of shape {parents.shape} and origins of shape {origin.shape}")
    return Population(int(state["generation"]), codes, parents, origin)


def _checked_counts(name: str, *, code_size: int, seed: int, thread: int) -> None:
    for what, value, least in (("code size", code_size, 1), ("seed", seed, 0), ("thread", thread, 0)):
        if value < least:
            raise CodeError(
                f"{name} optimizer, {what}",
                found=str(value),
                expected=f"a whole number, {least} or more",
                remedy=f"Give a {what} of at least {least}.",
            )
