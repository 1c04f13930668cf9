"""One evolution of a session: its optimizer, generator and references, and the numbers of its images."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt

from closedloop.generators import Generator
from closedloop.optimizers import Optimizer, Origin, Population
from closedloop.ports import Pixels
from closedloop.protocol.models import Thread
from closedloop.references import choose
from closedloop.seeds import Purpose, random_for
from closedloop.session import ImageRecord


@dataclass(frozen=True, eq=False)
class Reference:
    """An image that does not evolve: ``pixels`` (h, w, 3), and the file or code it came from."""

    pixels: Pixels
    source: str | None
    code: npt.NDArray[np.float32] | None


@dataclass(eq=False)
class EvolutionThread:
    """One evolution.

    Attributes:
        index: of the thread in the protocol.
        spec: its section of the protocol.
        optimizer: asked for codes, told scores.
        generator: renders codes.
        references: what is shown beside the evolved images.
    """

    index: int
    spec: Thread
    optimizer: Optimizer
    generator: Generator
    references: Sequence[Reference]
    reference_images: list[int] = field(default_factory=list)
    mean_scores: list[float] = field(default_factory=list)

    def reference_records(self, next_image: Callable[[], int]) -> list[ImageRecord]:
        """Number the references; to be recorded once, at the start of the session."""
        records = [
            ImageRecord(
                image=next_image(),
                kind="reference",
                thread=self.index,
                generation=None,
                row=row,
                code=reference.code,
                parents=None,
                origin="random" if reference.code is not None else "file",
                source=reference.source,
            )
            for row, reference in enumerate(self.references)
        ]
        self.reference_images = [record.image for record in records]
        return records

    def breed(self, next_image: Callable[[], int]) -> tuple[Population, list[ImageRecord]]:
        """Ask for the present generation and number its images, one for each row."""
        population = self.optimizer.ask()
        records = [
            ImageRecord(
                image=next_image(),
                kind="evolved",
                thread=self.index,
                generation=population.generation,
                row=row,
                code=population.codes[row],
                parents=(int(population.parents[row, 0]), int(population.parents[row, 1])),
                origin=Origin(int(population.origin[row])).name.lower(),
            )
            for row in range(len(population))
        ]
        return population, records

    def references_of(self, seed: int, generation: int, per_generation: int) -> list[int]:
        """Image numbers of the references shown in a generation."""
        if not self.reference_images or not per_generation:
            return []
        rng = random_for(seed, Purpose.REFERENCE_CHOICE, self.index)
        chosen = choose(len(self.reference_images), per_generation, rng, generation)
        return [self.reference_images[row] for row in chosen]
