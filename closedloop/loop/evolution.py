"""The evolution session: the closed loop itself.

``protocol -> optimizer.ask -> codes -> render -> stage -> onsets -> responses -> scores -> optimizer.tell``,
and every arrow leaves its record in the session file before the next one starts.
"""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from closedloop.loop.commands import Operator
from closedloop.loop.deadtime import DeadTime
from closedloop.loop.director import Director
from closedloop.loop.ears import Ears
from closedloop.loop.judge import Judge
from closedloop.loop.order import interleave
from closedloop.loop.painter import Painter
from closedloop.loop.presentation import Presentation
from closedloop.loop.progress import ProgressKeeper
from closedloop.loop.queue import GenerationQueue
from closedloop.loop.scorer import score_generation
from closedloop.loop.screen import Screen
from closedloop.loop.stopping import reached
from closedloop.loop.tally import Tally
from closedloop.loop.threads import EvolutionThread
from closedloop.ports import Rig, StreamInfo
from closedloop.protocol.frames import FramePlan
from closedloop.protocol.models import Protocol
from closedloop.seeds import Purpose, random_for
from closedloop.session import SessionStore


@dataclass(frozen=True)
class Outcome:
    """How a session ended: ``completed``, ``stopped`` or ``aborted``, and why in words."""

    exit_status: str
    reason: str


class EvolutionSession:
    """Runs generations until the protocol, a stop rule or the person at the rig ends the session.

    Args:
        protocol: what is to be done.
        plan: durations in whole frames of the display that was opened.
        session_id: named in markers.
        rig: opened devices.
        streams: what the source has opened.
        store: a new session file.
        threads: the evolutions.
        operator: the person at the rig.
    """

    def __init__(
        self,
        protocol: Protocol,
        plan: FramePlan,
        session_id: str,
        rig: Rig,
        streams: Sequence[StreamInfo],
        store: SessionStore,
        threads: Sequence[EvolutionThread],
        operator: Operator,
    ) -> None:
        self._protocol = protocol
        self._clock = rig.clock
        self._store = store
        self._threads = threads
        self._ears = Ears(rig.source, store, rig.clock, tuple(info.role for info in streams))
        self._director = Director(operator, store, rig.clock)
        self._screen = Screen(rig.stage, rig.markers, store, rig.clock, session_id, self._director.window_key)
        self._painter = Painter({thread.index: thread.generator for thread in threads}, store)
        self._progress = ProgressKeeper(operator, rig.clock, protocol)
        self._dead_time = DeadTime(rig.clock)
        self._presentation = Presentation(
            protocol,
            plan,
            threads,
            store,
            rig.clock,
            self._ears,
            self._screen,
            self._painter,
            Judge(protocol.response, threads, self._ears, streams),
            self._director,
            self._progress,
            self._dead_time,
        )
        self._image_numbers = itertools.count()
        self._next_trial = 0

    def run(self) -> Outcome:
        """Run the session to its end.

        Raises:
            ClosedLoopError: a device, the disk or the program failed; everything before is in the file.
        """
        try:
            return self._run()
        finally:
            self._ears.write()

    # --- inside

    def _run(self) -> Outcome:
        started_s = self._clock.now()
        self._screen.mark("session_start", started_s)
        self._record_references()
        outcome = Outcome("completed", f"all {self._protocol.limits.generations} generations were shown")
        for generation in range(self._protocol.limits.generations):
            queue, evolved, references = self._begin(generation)
            tally = self._presentation.show(queue, generation)
            if tally is None:
                outcome = Outcome("aborted", self._director.aborting or "aborted")
                break
            self._next_trial = queue.next_trial
            self._score(generation, evolved, references, tally)
            ended = self._ended(generation, started_s)
            if ended is not None:
                outcome = ended
                break
        self._screen.mark("session_end", self._clock.now(), status=outcome.exit_status, reason=outcome.reason)
        return outcome

    def _record_references(self) -> None:
        """References stay the same for the whole session: recorded and rendered once, at its start."""
        with self._store.transaction():
            for thread in self._threads:
                records = thread.reference_records(self._number)
                self._store.add_images(records)
                for record, reference in zip(records, thread.references, strict=True):
                    self._store.set_pixels(record.image, reference.pixels)
                    self._painter.keep(record.image, reference.pixels)

    def _begin(self, generation: int) -> tuple[GenerationQueue, list[list[int]], list[list[int]]]:
        """Breed and record a generation of every thread.

        Returns:
            The queue of its trials; the evolved images and the references of each thread.
        """
        protocol = self._protocol
        now = self._clock.now()
        evolved: list[list[int]] = []
        codes: dict[int, tuple[int, npt.NDArray[np.float32]]] = {}
        with self._store.transaction():
            for thread in self._threads:
                population, records = thread.breed(self._number)
                self._store.begin_generation(thread.index, generation, now)
                self._store.add_images(records)
                evolved.append([record.image for record in records])
                codes.update(
                    (record.image, (thread.index, code))
                    for record, code in zip(records, population.codes, strict=True)
                )
                self._screen.mark("generation_start", now, generation=generation, thread=thread.spec.name)
        references = [
            thread.references_of(protocol.seed, generation, protocol.references.per_generation)
            for thread in self._threads
        ]
        self._painter.expect(codes)
        order = interleave(
            [images + extra for images, extra in zip(evolved, references, strict=True)],
            protocol.response.repeats,
            random_for(protocol.seed, Purpose.TRIAL_ORDER, 0, generation),
        )
        self._dead_time.part("breeding")
        return GenerationQueue(order, self._next_trial, protocol.limits.max_repeats), evolved, references

    def _score(
        self, generation: int, evolved: list[list[int]], references: list[list[int]], tally: Tally
    ) -> None:
        """Score a generation, record it, tell the optimizers: in this order."""
        now = self._clock.now()
        scores = [
            score_generation(
                thread.index, generation, images, extra, tally, self._protocol.response.normalise
            )
            for thread, images, extra in zip(self._threads, evolved, references, strict=True)
        ]
        with self._store.transaction():
            for thread, scored in zip(self._threads, scores, strict=True):
                self._store.add_scores(scored.records)
                self._store.end_generation(thread.index, generation, now)
                if scored.note:
                    self._store.add_event("scoring", now, thread=thread.spec.name, note=scored.note)
                self._screen.mark("generation_end", now, generation=generation, thread=thread.spec.name)
        for thread, scored in zip(self._threads, scores, strict=True):
            thread.optimizer.tell(scored.told)
            thread.mean_scores.append(scored.mean_evolved)
        self._progress.scored(
            [scored.mean_evolved for scored in scores], [scored.mean_reference for scored in scores]
        )
        self._dead_time.part("scoring")

    def _ended(self, generation: int, started_s: float) -> Outcome | None:
        """Whether the session ends after this generation, and why."""
        if self._director.ending is not None:
            return Outcome("stopped", self._director.ending)
        if generation + 1 >= self._protocol.limits.generations:
            return None
        reasons = [reached(self._protocol.stop, thread.mean_scores) for thread in self._threads]
        if self._protocol.stop and all(reasons):
            return Outcome("completed", "; ".join(reason for reason in reasons if reason))
        minutes = self._protocol.limits.minutes
        if minutes is not None and self._clock.now() - started_s > 60 * minutes:
            return Outcome("completed", f"the time limit of {minutes:g} minutes was reached")
        return None

    def _number(self) -> int:
        return next(self._image_numbers)
