"""Breeds and records generations, and takes up again one that an earlier run has begun."""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from closedloop.loop.history import History
from closedloop.loop.order import Item, interleave
from closedloop.loop.painter import Painter
from closedloop.loop.queue import GenerationQueue
from closedloop.loop.relive import requeue
from closedloop.loop.screen import Screen
from closedloop.loop.tally import Tally
from closedloop.loop.threads import EvolutionThread
from closedloop.protocol.models import Protocol
from closedloop.seeds import Purpose, random_for
from closedloop.session import SessionStore


@dataclass(frozen=True, eq=False)
class Generation:
    """A generation on its way.

    Attributes:
        index: from 0.
        queue: its trials.
        evolved: image numbers of each thread's population, by row.
        references: image numbers of each thread's references in this generation.
        tally: the values earned.
    """

    index: int
    queue: GenerationQueue
    evolved: Sequence[Sequence[int]]
    references: Sequence[Sequence[int]]
    tally: Tally


class Breeder:
    """Asks the optimizers for codes and numbers everything.

    Args:
        protocol: what is to be done.
        threads: the evolutions, which have lived through the history.
        store: the session file.
        screen: sends markers.
        painter: told what there will be to render.
        history: what earlier runs have recorded.
    """

    def __init__(
        self,
        protocol: Protocol,
        threads: Sequence[EvolutionThread],
        store: SessionStore,
        screen: Screen,
        painter: Painter,
        history: History,
    ) -> None:
        self._protocol = protocol
        self._threads = threads
        self._store = store
        self._screen = screen
        self._painter = painter
        self._history = history
        self._image_numbers = itertools.count(history.next_image)

    def references(self) -> None:
        """References stay the same for the whole session: recorded and rendered once, at its start."""
        known = self._history.references
        if known is not None:
            with self._store.transaction():
                for thread, images in zip(self._threads, known, strict=True):
                    thread.reference_images = list(images)
                    for image, reference in zip(images, thread.references, strict=True):
                        if image in self._history.lost:  # made again; what is shown is in the file before
                            self._store.set_pixels(image, reference.pixels)
                        self._painter.keep(image, reference.pixels)
            return
        with self._store.transaction():
            for thread in self._threads:
                records = thread.reference_records(self._number)
                self._store.add_images(records)
                for record, reference in zip(records, thread.references, strict=True):
                    self._store.set_pixels(record.image, reference.pixels)
                    self._painter.keep(record.image, reference.pixels)

    def begin(self, index: int, first_trial: int, now_s: float) -> Generation:
        """Breed and record a generation of every thread.

        Args:
            index: of the generation.
            first_trial: number of its first trial.
            now_s: the time.
        """
        evolved: list[list[int]] = []
        codes: dict[int, tuple[int, npt.NDArray[np.float32]]] = {}
        with self._store.transaction():
            for thread in self._threads:
                population, records = thread.breed(self._number)
                self._store.begin_generation(thread.index, index, now_s)
                self._store.add_images(records)
                evolved.append([record.image for record in records])
                codes.update(
                    (record.image, (thread.index, code))
                    for record, code in zip(records, population.codes, strict=True)
                )
                self._screen.mark("generation_start", now_s, generation=index, thread=thread.spec.name)
        self._painter.expect(codes)
        references, order = self._order(index, evolved)
        queue = GenerationQueue(order, first_trial, self._protocol.limits.max_repeats)
        return Generation(index, queue, evolved, references, Tally())

    def take_up(self, index: int, now_s: float) -> Generation:
        """Take up the open generation of the history where its last acknowledged trial left it.

        Args:
            index: of the generation.
            now_s: the time.

        Raises:
            SessionChangedError: its recorded trials are not those that the protocol gives.
        """
        history = self._history
        assert history.open is not None  # noqa: S101  the caller has looked
        with self._store.transaction():
            for thread in self._threads:
                self._screen.mark(
                    "generation_start", now_s, generation=index, thread=thread.spec.name, resumed=True
                )
        codes = {
            image: (thread.index, code)
            for thread, bred in zip(self._threads, history.open, strict=True)
            for image, code in zip(bred.images, bred.population.codes, strict=True)
        }
        self._painter.expect(codes, history.pixels)
        evolved = [bred.images for bred in history.open]
        references, order = self._order(index, evolved)
        queue, tally = requeue(order, history, self._protocol.limits.max_repeats)
        return Generation(index, queue, evolved, references, tally)

    def _order(
        self, index: int, evolved: Sequence[Sequence[int]]
    ) -> tuple[list[list[int]], tuple[Item, ...]]:
        """Return the references of a generation, and the order of all its trials."""
        protocol = self._protocol
        references = [
            thread.references_of(protocol.seed, index, protocol.references.per_generation)
            for thread in self._threads
        ]
        order = interleave(
            [[*images, *extra] for images, extra in zip(evolved, references, strict=True)],
            protocol.response.repeats,
            random_for(protocol.seed, Purpose.TRIAL_ORDER, 0, index),
        )
        return references, order

    def _number(self) -> int:
        return next(self._image_numbers)
