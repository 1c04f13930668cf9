"""The evolution session: the closed loop itself.

``protocol -> optimizer.ask -> codes -> render -> stage -> onsets -> responses -> scores -> optimizer.tell``,
and every arrow leaves its record in the session file before the next one starts.
"""

from __future__ import annotations

import logging
from collections.abc import Sequence
from dataclasses import dataclass

from closedloop.loop.breeder import Breeder, Generation
from closedloop.loop.commands import Operator
from closedloop.loop.deadtime import DeadTime
from closedloop.loop.director import Director
from closedloop.loop.ears import Ears
from closedloop.loop.history import History
from closedloop.loop.judge import Judge
from closedloop.loop.painter import Painter
from closedloop.loop.presentation import Presentation
from closedloop.loop.progress import ProgressKeeper
from closedloop.loop.scorer import score_generation
from closedloop.loop.screen import Screen
from closedloop.loop.stopping import why_ended
from closedloop.loop.threads import EvolutionThread
from closedloop.ports import Rig, StreamInfo
from closedloop.protocol.frames import FramePlan
from closedloop.protocol.models import Protocol
from closedloop.session import SessionStore

log = logging.getLogger(__name__)


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
        store: the session file, opened for this run.
        threads: the evolutions, which have lived through the history.
        operator: the person at the rig.
        history: what earlier runs have recorded; None: this is the first.
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
        history: History | None = None,
    ) -> None:
        self._history = history or History(str(store.path))
        self._protocol = protocol
        self._clock = rig.clock
        self._store = store
        self._threads = threads
        self._ears = Ears(rig.source, store, rig.clock, tuple(info.role for info in streams))
        self._director = Director(operator, store, rig.clock)
        self._screen = Screen(
            rig.stage,
            rig.markers,
            store,
            rig.clock,
            session_id,
            self._director.window_key,
            plan.period_s,
        )
        painter = Painter({thread.index: thread.generator for thread in threads}, store)
        self._breeder = Breeder(protocol, threads, store, self._screen, painter, self._history)
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
            painter,
            Judge(protocol.response, threads, self._ears, streams),
            self._director,
            self._progress,
            self._dead_time,
        )

    def run(self) -> Outcome:
        """Run the session to its end.

        Raises:
            ClosedLoopError: a device, the disk or the program failed; everything before is in the file.
        """
        try:
            outcome = self._run()
        except BaseException as error:
            self._end_badly(error)
            raise
        self._ears.write()
        return outcome

    # --- inside

    def _end_badly(self, error: BaseException) -> None:
        """Write what was heard and tell the listeners that the session is over, as far as that still works."""

        def say_so() -> None:
            self._screen.mark("session_end", self._clock.now(), status="failed", reason=str(error))

        for action in (self._ears.write, say_so):
            try:
                action()
            except Exception as second:  # whatever it is, the first error is what the person must hear
                log.error("and after that: %s", second, exc_info=second)

    def _run(self) -> Outcome:
        now_s = self._clock.now()
        self._started_s = now_s - self._history.elapsed_s
        self._progress.go_on_from(self._history)
        again = {"run": self._store.run} if self._store.run else {}
        self._screen.mark("session_start", now_s, **again)
        self._breeder.references()
        outcome = self._generations()
        self._screen.mark("session_end", self._clock.now(), status=outcome.exit_status, reason=outcome.reason)
        return outcome

    def _generations(self) -> Outcome:
        first_trial = self._history.first_trial
        for index in range(self._history.next_generation, self._protocol.limits.generations):
            if index == self._history.next_generation and self._history.open is not None:
                generation = self._breeder.take_up(index, self._clock.now())
            else:
                generation = self._breeder.begin(index, first_trial, self._clock.now())
            self._dead_time.part("breeding")
            if not self._presentation.show(generation.queue, index, generation.tally):
                return Outcome("aborted", self._director.aborting or "aborted")
            first_trial = generation.queue.next_trial
            self._score(generation)
            ended = self._ended(index)
            if ended is not None:
                return ended
        return Outcome("completed", f"all {self._protocol.limits.generations} generations were shown")

    def _score(self, generation: Generation) -> None:
        """Score a generation, record it, tell the optimizers: in this order."""
        now = self._clock.now()
        scores = [
            score_generation(
                thread.index,
                generation.index,
                images,
                extra,
                generation.tally,
                self._protocol.response.normalise,
            )
            for thread, images, extra in zip(
                self._threads, generation.evolved, generation.references, strict=True
            )
        ]
        with self._store.transaction():
            for item in generation.queue.given_up:
                self._store.add_event("given_up", now, image=item.image, repeat=item.repeat)
                log.warning(
                    "image %d was given up, repeat %d: too many invalid trials", item.image, item.repeat
                )
            for thread, scored in zip(self._threads, scores, strict=True):
                self._store.add_scores(scored.records)
                self._store.end_generation(thread.index, generation.index, now)
                if scored.note:
                    self._store.add_event("scoring", now, thread=thread.spec.name, note=scored.note)
                self._screen.mark("generation_end", now, generation=generation.index, thread=thread.spec.name)
        for thread, scored in zip(self._threads, scores, strict=True):
            thread.optimizer.tell(scored.told)
            thread.mean_scores.append(scored.mean_evolved)
            log.info(
                "generation %d of thread %s ended: mean %.2f evolved, %.2f reference; "
                "%d invalid trials in the session so far",
                generation.index,
                thread.spec.name,
                scored.mean_evolved,
                scored.mean_reference,
                self._progress.invalid,
            )
            if scored.note:
                log.warning("generation %d of thread %s: %s", generation.index, thread.spec.name, scored.note)
        self._progress.scored(
            [scored.mean_evolved for scored in scores], [scored.mean_reference for scored in scores]
        )
        self._dead_time.part("scoring")

    def _ended(self, index: int) -> Outcome | None:
        """Whether the session ends after this generation, and why."""
        if self._director.ending is not None:
            return Outcome("stopped", self._director.ending)
        if index + 1 >= self._protocol.limits.generations:
            return None
        reason = why_ended(self._protocol, self._threads, self._clock.now() - self._started_s)
        return None if reason is None else Outcome("completed", reason)
