"""What the loop knows of an optimizer, and the records that pass between them."""

from __future__ import annotations

from dataclasses import dataclass
from enum import IntEnum
from typing import Any, ClassVar, Protocol, runtime_checkable

import numpy as np
from numpy.typing import NDArray
from pydantic import BaseModel

NO_PARENT = -1


class Origin(IntEnum):
    """Where a code came from. The numbers are part of the session file: never reuse one."""

    RANDOM = 0
    GIVEN = 1
    BRED = 2
    ELITE = 3
    CARRIED = 4


@dataclass(frozen=True, eq=False)
class Population:
    """One generation's codes and their genealogy. The arrays are made read-only.

    Attributes:
        generation: index of the generation, from 0.
        codes: float32 (n, d), one code a row.
        parents: int32 (n, 2), row numbers in the previous generation, -1 for none. ELITE and CARRIED
            codes have one (themselves, a generation ago), BRED codes two (which may be the same row).
            In generation 0 there is no previous one: BRED codes there, which top up given codes, name
            rows of generation 0 itself.
        origin: int8 (n,), one ``Origin`` a code.
    """

    generation: int
    codes: NDArray[np.float32]
    parents: NDArray[np.int32]
    origin: NDArray[np.int8]

    def __post_init__(self) -> None:
        for array in (self.codes, self.parents, self.origin):
            array.flags.writeable = False

    def __len__(self) -> int:
        return len(self.codes)


@runtime_checkable
class Optimizer(Protocol):
    """Gives codes (``ask``), hears how strongly they drove the neurons (``tell``), gives better ones.

    The contract, held by tests for every registered optimizer:

    - ``ask`` gives the same population, to the byte, until ``tell`` was called.
    - ``tell`` takes one score a code, in the order of the rows; NaN says that a code has no score.
    - ``state`` taken at any time and handed to ``restore`` gives an optimizer that goes on exactly as the
      first would have: nothing else (no generator's state, no clock) plays a part.
    """

    name: ClassVar[str]

    @property
    def parameters_type(self) -> type[BaseModel]:
        """The model of its parameters; a constant of the class."""
        ...

    def ask(self) -> Population:
        """Return the population to be shown now."""
        ...

    def tell(self, scores: NDArray[np.float64]) -> None:
        """Take the scores of the population last asked for.

        Args:
            scores: float64 (n,), NaN where a code has no score.

        Raises:
            CodeError: wrong shape or type, infinite, or told twice for one generation.
        """
        ...

    @property
    def state(self) -> dict[str, Any]:
        """Everything needed to go on: plain JSON values and numpy arrays."""
        ...

    @classmethod
    def restore(cls, state: dict[str, Any]) -> Optimizer:
        """Return an optimizer that goes on from ``state``.

        Raises:
            CodeError: the state is another optimizer's, or its parts do not fit each other.
        """
        ...
