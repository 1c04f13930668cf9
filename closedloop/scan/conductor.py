"""A scan session: its runs one after the other, repeated and aborted as the person at the console wants."""

from __future__ import annotations

import logging
import math
from collections.abc import Sequence
from dataclasses import dataclass, replace

from closedloop.scan.overheard import Overheard
from closedloop.scan.past import ScanPast
from closedloop.scan.records import RunPlan
from closedloop.scan.run import IDLE_S, STATUS_EVERY_S, Console, RunEnd, ScanRun
from closedloop.scan.status import ScanState, ScanStatus
from closedloop.scan.words import BETWEEN, OVER

log = logging.getLogger(__name__)

# Without a person at the console the next run is armed after so long.
REST_S = 1.0


@dataclass(frozen=True)
class ScanOutcome:
    """How a scan session ended.

    Attributes:
        exit_status: ``completed``, ``stopped`` or ``aborted``.
        reason: in words.
        incomplete: labels of runs that were armed and never completed, or armed to be made again and were not;
            those that were left out on purpose by ending the session are not among them.
    """

    exit_status: str
    reason: str
    incomplete: tuple[str, ...] = ()


class ScanSession:
    """Makes the runs of a session that are not completed yet.

    Args:
        console: what all runs share.
        plans: every run of the session, in order.
        past: what earlier runs of the program have recorded.
    """

    def __init__(self, console: Console, plans: Sequence[RunPlan], past: ScanPast | None = None) -> None:
        past = past or ScanPast()
        self._past = past
        self._on = console
        self._plans = list(plans)
        self._completed = set(past.done)
        self._begun = set(past.attempts) - past.repeat
        self._attempts = dict(past.attempts)
        self._scan = past.next_scan
        self._trial = past.next_trial
        self._last: ScanStatus | None = None
        self._said: RunEnd | None = None
        self._armed = ""
        self._overheard = Overheard(console.trigger, console.store)
        self._notice = ""

    def run(self) -> ScanOutcome:
        """Make the runs, to the end of the session.

        Raises:
            ClosedLoopError: a device, the disk or the program failed; everything before is in the file.
        """
        on = self._on
        again = {"run": on.store.run} if on.store.run else {}
        on.screen.mark("session_start", on.clock.now(), **again)
        outcome = self._runs()
        on.screen.mark("session_end", on.clock.now(), status=outcome.exit_status, reason=outcome.reason)
        return outcome

    # --- inside

    def _runs(self) -> ScanOutcome:
        waiting = [plan for plan in self._plans if plan.label not in self._completed]
        armed: RunPlan | None = None
        while waiting or (armed is not None and self._on.director.present):
            upcoming = waiting[0] if waiting else None
            if armed is not None:
                chosen = self._between(armed, upcoming)
                if chosen is None:
                    break
                upcoming = chosen
            assert upcoming is not None  # noqa: S101  there is one, or one was chosen
            armed = upcoming
            waiting = [plan for plan in waiting if plan is not armed]
            self._make(armed)
            if self._on.director.abort is not None or self._on.director.end is not None:
                break
        return self._outcome()

    def _make(self, plan: RunPlan) -> None:
        on = self._on
        attempt = self._attempts.get(plan.label, 0)
        place = next(n for n, one in enumerate(self._plans, 1) if one is plan)
        shown = on.show

        def remember(status: ScanStatus) -> None:
            self._last = status
            shown(status)

        run = ScanRun(
            replace(on, show=remember),
            plan,
            self._scan,
            attempt,
            (place, len(self._plans)),
            self._trial,
            self._overheard,
        )
        self._scan += 1
        self._attempts[plan.label] = attempt + 1
        self._begun.add(plan.label)
        self._armed = plan.label
        try:
            self._said = run.run()
        finally:
            self._trial = run.next_trial
        if self._said.status == "completed":
            self._completed.add(plan.label)

    def _between(self, last: RunPlan, upcoming: RunPlan | None) -> RunPlan | None:
        """Wait for what the person wants next; None: nothing more.

        Without a person the next run follows by itself.
        """
        on, director = self._on, self._on.director
        on.screen.message(BETWEEN if upcoming is not None else OVER)
        director.go = director.repeat = False
        self._notice = ""
        until_s = on.clock.now() + REST_S
        next_status_s = -math.inf
        while True:
            on.clock.sleep(IDLE_S)
            on.screen.watch()
            self._notice = self._overheard.listen() or self._notice
            director.heed(in_run=False)
            if director.abort is not None or director.end is not None:
                return None
            if director.repeat:
                return last
            if director.go or (not director.present and on.clock.now() >= until_s and self._may_arm()):
                return upcoming
            if self._last is not None and on.clock.now() >= next_status_s:
                next_status_s = on.clock.now() + STATUS_EVERY_S
                words = self._between_words(last, upcoming)
                on.show(replace(self._last, state=ScanState.BETWEEN, next_event="", message=words))

    def _between_words(self, last: RunPlan, upcoming: RunPlan | None) -> str:
        said = f"run {last.label} {self._said.status}: {self._said.reason}" if self._said else ""
        then = f"arms run {upcoming.label}" if upcoming is not None else "ends the session"
        notice = f". {self._notice}" if self._notice else ""
        return f"{said}. Key g {then}, r repeats run {last.label}{notice}"

    def _may_arm(self) -> bool:
        """Nobody is there who could stop the scanner: a run that would end at its first pulse waits for silence."""
        scanner = self._on.protocol.scanner
        return scanner.policy.running != "abort" or self._overheard.silent(self._on.clock.now(), scanner.tr_s)

    def _outcome(self) -> ScanOutcome:
        director = self._on.director
        undone = [plan.label for plan in self._plans if plan.label not in self._completed]
        tried = tuple(label for label in undone if label in self._begun)
        again = [label for label in undone if label in self._past.repeat]
        if director.abort is not None:
            return ScanOutcome("aborted", "; ".join([f"aborted {director.abort}", *_as_before(again)]), tried)
        if director.end is not None and undone:
            return ScanOutcome("stopped", "; ".join([director.end, *_as_before(again)]), tried)
        if undone:
            lacking = ", ".join(label for label in undone if label not in again)
            words = [*([f"not completed: run {lacking}"] if lacking else []), *_as_before(again)]
            if self._said is not None and self._said.status != "completed":
                words.append(_ended_words(self._armed, self._said))
            return ScanOutcome("stopped", "; ".join(words), tried)
        return ScanOutcome("completed", completed_words(len(self._plans)))


def _as_before(labels: Sequence[str]) -> list[str]:
    """Say of runs that were to be made again, and were not, what their data are."""
    if not labels:
        return []
    counts = "its earlier attempt counts" if len(labels) == 1 else "their earlier attempts count"
    return [f"not made again: run {', '.join(labels)} ({counts})"]


def _ended_words(label: str, end: RunEnd) -> str:
    """Say of the run that was armed last how it ended: of others there may be more to say than that."""
    status = f"was {end.status}" if end.status == "aborted" else end.status
    reason = end.reason if end.reason.startswith("by ") else f"({end.reason})"
    return f"run {label}, armed last, {status} {reason}"


def completed_words(runs: int) -> str:
    """Say that all runs are done."""
    return "the run was completed" if runs == 1 else f"all {runs} runs were completed"
