"""Shows the trials of one generation, judges them, and shows invalid ones again."""

from __future__ import annotations

import logging
from collections import deque
from collections.abc import Sequence

from closedloop.errors import StreamError
from closedloop.loop.deadtime import DeadTime
from closedloop.loop.director import Director
from closedloop.loop.ears import Ears
from closedloop.loop.judge import Accepted, Judge, Rejected
from closedloop.loop.painter import Painter
from closedloop.loop.progress import ProgressKeeper
from closedloop.loop.queue import GenerationQueue, QueuedTrial
from closedloop.loop.screen import Presented, Screen
from closedloop.loop.tally import Tally
from closedloop.loop.threads import EvolutionThread
from closedloop.ports import Clock, Shown
from closedloop.protocol.frames import FramePlan
from closedloop.protocol.models import Protocol
from closedloop.session import SessionStore, TrialRecord

log = logging.getLogger(__name__)

# Trials handed to the stage beyond the one on the screen: enough to bridge a slow write or a rendered
# batch, few enough that a pause or a lost stream takes effect within a second.
LOOKAHEAD = 3
# Where trials are long, the next one is handed over so long before the one on the screen ends.
LOOKAHEAD_S = 1.0
# Images rendered ahead of the trials handed over.
RENDER_AHEAD = 16
IDLE_S = 0.001
# Samples older than this before the oldest trial in question are dropped from memory.
# (beyond those that a trial yet to come would need).
MEMORY_S = 5.0


class Presentation:
    """Runs the queue of a generation to its end.

    One turn of the loop hears, watches, judges, heeds the person at the rig, and then does at most one
    slow thing: it hands over a trial or renders a batch. So no stream waits longer than that.
    """

    def __init__(
        self,
        protocol: Protocol,
        plan: FramePlan,
        threads: Sequence[EvolutionThread],
        store: SessionStore,
        clock: Clock,
        ears: Ears,
        screen: Screen,
        painter: Painter,
        judge: Judge,
        director: Director,
        progress: ProgressKeeper,
        dead_time: DeadTime,
    ) -> None:
        self._protocol = protocol
        self._plan = plan
        self._threads = threads
        self._store = store
        self._clock = clock
        self._ears = ears
        self._screen = screen
        self._painter = painter
        self._judge = judge
        self._director = director
        self._progress = progress
        self._dead_time = dead_time
        self._memory_s = MEMORY_S + judge.lookback_s
        self._presented: dict[int, Presented] = {}
        self._over: deque[tuple[Shown, Presented]] = deque()
        self._trouble_since_s: float | None = None

    def show(self, queue: GenerationQueue, generation: int, tally: Tally) -> bool:
        """Show, judge and show again until the queue is empty.

        Args:
            queue: the generation's trials.
            generation: its index.
            tally: takes the values earned.

        Returns:
            False if the person at the rig aborted.

        Raises:
            StreamError: a stream stayed away longer than the protocol allows.
            StageError, ProcessDiedError, DiskError: as they happen.
        """
        self._presented.clear()
        self._over.clear()
        while queue.left:
            self._ears.listen()
            for shown in self._screen.watch():
                self._over.append((shown, self._presented.pop(shown.trial)))
            judged = self._judge_what_is_over(queue, tally)
            if not self._over and not self._screen.waiting:
                # nothing shown is left to be judged: a pause may last as long as it likes
                self._ears.forget(self._clock.now() - self._memory_s)
            self._director.heed(self._screen)
            if self._director.aborting is not None:
                return False
            self._record_dead_time(generation)
            self._progress.show(generation, queue.left, self._director.paused, self._ears, self._screen)
            if not (self._put_next(queue, generation) or judged):
                self._clock.sleep(IDLE_S)
        return True

    # --- judging

    def _judge_what_is_over(self, queue: GenerationQueue, tally: Tally) -> bool:
        """Judge trials in the order in which they were shown, as far as their samples are here."""
        judged = False
        while self._over:
            shown, presented = self._over[0]
            record = presented.record
            verdict = self._judge.verdict(shown, record.thread, self._clock.now())
            if verdict is None:
                break
            self._over.popleft()
            judged = True
            self._acknowledge(record, verdict, tally)
            queue.judge(record.trial, valid=isinstance(verdict, Accepted))
            self._ears.forget(shown.onset_s - self._memory_s)
            if not queue.left:
                self._dead_time.window_ended(self._judge.window_end(shown.onset_s))
        return judged

    def _acknowledge(self, record: TrialRecord, verdict: Accepted | Rejected, tally: Tally) -> None:
        now = self._clock.now()
        with self._store.transaction():
            self._ears.write()
            if isinstance(verdict, Accepted):
                rates, baseline = verdict.rates_hz, verdict.baseline_hz
                self._store.accept_trial(record.trial, rates, baseline, verdict.value, now)
            else:
                self._store.reject_trial(record.trial, verdict.reason, verdict.detail, now)
        if isinstance(verdict, Accepted):
            tally.add(record.image, verdict.value)
        else:
            log.info("trial %d is invalid, %s: %s", record.trial, verdict.reason, verdict.detail)
        self._progress.judged(verdict)

    # --- showing

    def _put_next(self, queue: GenerationQueue, generation: int) -> bool:
        """Hand one trial to the stage, or else render ahead; False if there was nothing to do."""
        upcoming = [item.image for item in queue.upcoming(RENDER_AHEAD)]
        if not upcoming:
            return False
        pixels = self._painter.ready(upcoming[0])
        if pixels is not None and self._may_show():
            if not self._screen.waiting:
                self._dead_time.part("rendering")
            trial = queue.deal()
            presented = self._place(trial, generation)
            self._presented[trial.trial] = presented
            self._screen.order(presented, pixels)
            return True
        return self._painter.paint(upcoming)

    def _may_show(self) -> bool:
        if self._ears.live or self._director.paused:
            self._trouble_since_s = None
        else:
            self._check_patience()
            return False
        if self._director.paused:
            return False
        if self._screen.waiting > LOOKAHEAD or self._screen.full:
            return False
        if self._clock.now() - self._ears.live_since_s < self._judge.before_onset_s:
            return False  # a baseline would begin before the stream could be trusted
        # in full trials: one that is on the screen and has no second left is handed its successor
        return not self._screen.waiting or self._screen.ahead_s <= LOOKAHEAD_S

    def _check_patience(self) -> None:
        now = self._clock.now()
        if self._trouble_since_s is None:
            self._trouble_since_s = now
        limit = self._protocol.limits.give_up_stream_s
        if limit is not None and now - self._trouble_since_s > limit:
            raise StreamError(
                "response stream",
                found=f"{self._ears.trouble}, for {now - self._trouble_since_s:.0f} s",
                expected=f"it back within {limit:g} s (limits.give_up_stream_s)",
                remedy="Start the sender again. Everything recorded so far is in the session file.",
            )

    def _place(self, trial: QueuedTrial, generation: int) -> Presented:
        spec = self._threads[trial.item.thread].spec
        in_a_row = self._protocol.presentation.images_per_trial
        ends_row = trial.trial % in_a_row == in_a_row - 1
        record = TrialRecord(
            trial=trial.trial,
            thread=trial.item.thread,
            generation=generation,
            image=trial.item.image,
            attempt=trial.attempt,
            repeat=trial.item.repeat,
            on_frames=self._plan.on_frames,
            off_frames=self._plan.off_frames + (self._plan.iti_frames if ends_row else 0),
        )
        label = {"trial": record.trial, "generation": generation, "image": record.image, "thread": spec.name}
        return Presented(record, label, spec.position_deg, spec.size_deg, self._plan.flicker_frames)

    def _record_dead_time(self, generation: int) -> None:
        parts_ms = self._dead_time.ended_by(self._screen.last_onset_s)
        if parts_ms:
            for thread in self._threads:
                self._store.set_timing(thread.index, generation, parts_ms)
