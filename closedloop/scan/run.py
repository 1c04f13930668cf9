"""One scan run, from arming it to its end."""

from __future__ import annotations

import logging
import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from closedloop.errors import DiskError
from closedloop.ports import Clock
from closedloop.protocol.scan import ScanProtocol
from closedloop.scan.answers import Answers
from closedloop.scan.dealer import Dealer, asking_events
from closedloop.scan.director import ScanDirector
from closedloop.scan.findings import PulseFinding
from closedloop.scan.hearing import Hearing
from closedloop.scan.overheard import Overheard
from closedloop.scan.ports import TriggerInfo, TriggerSource
from closedloop.scan.records import RunPlan
from closedloop.scan.screen import ScanScreen, Tally
from closedloop.scan.status import ScanState, ScanStatus
from closedloop.scan.words import WAITING
from closedloop.session import SessionStore
from closedloop.session.scan_store import ScanStore

log = logging.getLogger(__name__)

IDLE_S = 0.001
STATUS_EVERY_S = 0.1
# After the last volume's time pulses are listened to for so many TRs more: one that was not due would come then.
LISTEN_ON_TR = 0.5
# What came on at the very moment that it was taken back is heard of by then.
SURE_S = 0.1
# An aborted run waits no longer than this for the image that is on the screen to be over, then takes it off.
LET_GO_S = 2.0
# A trigger's reader that is so far behind was held up; in good order it lags by some hundredths of a second.
BEHIND_S = 0.3
# Taking it off lasts some frames; a stage that says nothing for so long hangs, and the run ends without its word.
CUT_S = 2.0


@dataclass(frozen=True)
class RunEnd:
    """How a scan run ended: ``completed``, ``aborted`` or ``failed``, and why in words."""

    status: str
    reason: str


@dataclass(frozen=True, eq=False)
class Console:
    """What all runs of a session share.

    Attributes:
        protocol: of the session.
        clock: the one clock.
        trigger, trigger_info: opened, and what it said of itself.
        screen: the stage.
        director: the person at the console.
        store, scans: the session file.
        images: number of each stimulus.
        period_s: seconds per frame.
        show: shows a status to the person.
        armed: told when a run is armed, with its number; a simulated scanner starts then.
        disarmed: told when a run is over.
    """

    protocol: ScanProtocol
    clock: Clock
    trigger: TriggerSource
    trigger_info: TriggerInfo
    screen: ScanScreen
    director: ScanDirector
    store: SessionStore
    scans: ScanStore
    images: Mapping[str, int]
    period_s: float
    show: Callable[[ScanStatus], None]
    armed: Callable[[RunPlan, int], None] = lambda _plan, _scan: None
    disarmed: Callable[[], None] = lambda: None


class ScanRun:
    """Arms a run, starts it on the first stored volume, shows what is planned at its times, and ends it.

    Args:
        console: what all runs share.
        plan: of this run.
        scan: its number in the session.
        attempt: how often its label was armed before.
        place: of the run among those of the session, from 1, and how many there are.
        first_trial: number of its first trial.
        overheard: what came while no run was armed.
    """

    def __init__(
        self,
        console: Console,
        plan: RunPlan,
        scan: int,
        attempt: int,
        place: tuple[int, int],
        first_trial: int,
        overheard: Overheard,
    ) -> None:
        self._on = console
        self._plan = plan
        self._scan = scan
        self._attempt = attempt
        self._place = place
        self._overheard = overheard
        protocol, task = console.protocol, console.protocol.task
        self._scanner = protocol.scanner_of(plan.volumes)
        self._asking = asking_events(plan.events, task)
        self._answers = Answers(task.keys, task.limit_s) if task else Answers()
        self._dealer = Dealer(plan, scan, console.images, console.screen, console.period_s, task, first_trial)
        self._hearing: Hearing | None = None
        self._message = self._armed_message = ""
        self._words_on = False
        self._shown_s = -math.inf
        self._armed_s = math.nan

    @property
    def next_trial(self) -> int:
        """Number of the trial after this run's last one."""
        return self._dealer.next_trial

    def run(self) -> RunEnd:
        """Run it to its end.

        Raises:
            ClosedLoopError: a device, the disk or the program failed; the run is recorded as failed.
        """
        hearing = self._arm()
        try:
            end = self._until_over(hearing)
            self._let_go(hearing, end)
            self._act(hearing.finish())
        except BaseException as error:
            self._on.disarmed()
            try:
                self._close(hearing, RunEnd("failed", str(error)))
            except DiskError as second:
                # the run stays without an end, as after a crash, and is said to be cut off by the next program
                log.error("and the end of the run could not be recorded: %s", second)
            raise
        self._on.disarmed()
        self._close(hearing, end)
        return end

    # --- inside

    def _arm(self) -> Hearing:
        on = self._on
        on.screen.watch()  # what happened until now is no part of this run
        on.director.begin()
        on.screen.begin(self._scan, self._came_on)
        self._dealer.load_ahead()
        message = self._overheard.listen()  # what came before belongs to no run
        self._armed_s = on.clock.now()
        before = self._overheard.ran_before(self._armed_s, self._scanner.tr_s)
        behind_s = self._overheard.behind_s(self._armed_s)
        if behind_s > BEHIND_S:
            message = (
                f"the trigger's reader is {behind_s:.1f} s behind: whether the scanner is running already is told "
                "when it has caught up"
            )
            log.warning("%s", message)
        elif before is not None:
            ago_s = self._armed_s - before.last_s
            message = f"a pulse came {ago_s:.1f} s before arming: the scanner seems to be running already"
            log.warning("%s", message)
        self._message = self._armed_message = message
        on.scans.arm(self._scan, self._attempt, self._plan, on.images, on.trigger_info, self._armed_s)
        on.screen.message(WAITING)
        self._words_on = True
        on.armed(self._plan, self._scan)
        log.info(
            "run %s armed: scan %d, attempt %d, %d events, %d volumes expected",
            self._plan.label,
            self._scan,
            self._attempt,
            len(self._plan.events),
            self._plan.volumes,
        )
        self._hearing = Hearing(
            on.trigger,
            self._scanner,
            on.store,
            on.scans,
            on.clock,
            self._scan,
            self._armed_s,
            self._answers,
            on.screen.mark,
            self._overheard,
        )
        return self._hearing

    def _until_over(self, hearing: Hearing) -> RunEnd:
        on = self._on
        while True:
            on.clock.sleep(IDLE_S)
            on.screen.watch()
            ended = self._act(hearing.listen())
            if self._words_on and hearing.first_pulse_s is not None:
                on.screen.message(None)
                self._words_on = False
                if self._message == self._armed_message:
                    self._message = ""
            if on.director.heed(in_run=True):
                self._pause_or_resume(hearing)
            ended = ended or self._ended(hearing)
            if ended is not None:
                return ended
            if hearing.start_s is not None and not on.director.paused:
                self._dealer.deal(hearing.start_s, on.clock.now())
            self._show()

    def _act(self, findings: Sequence[tuple[str, PulseFinding]]) -> RunEnd | None:
        """Do what the protocol wants done about what was found."""
        on = self._on
        for action, finding in findings:
            if action == "abort":
                return RunEnd("aborted", finding.words)
            if action == "pause" and not on.director.paused:
                on.director.pause(finding.words)
                if self._hearing is not None:
                    self._pause_or_resume(self._hearing)
            if action != "note":
                self._message = finding.words
        return None

    def _ended(self, hearing: Hearing) -> RunEnd | None:
        on, heard_s = self._on, hearing.heard_until_s  # what has not been listened to is not over
        if on.director.abort_run is not None:
            return RunEnd("aborted", on.director.abort_run)
        if hearing.start_s is None:
            wait_s = self._scanner.wait_s
            if wait_s is not None and hearing.first_pulse_s is None and heard_s > self._armed_s + wait_s:
                return RunEnd("failed", f"no pulse came in {wait_s:g} s")
            return None
        over_s = max(hearing.start_s + self._plan.duration_s, hearing.last_volume_over_s)
        if heard_s < over_s + LISTEN_ON_TR * self._scanner.tr_s or on.screen.waiting:
            return None
        return RunEnd("completed", self._completed_words(hearing))

    def _completed_words(self, hearing: Hearing) -> str:
        words = f"{hearing.volumes} of {self._plan.volumes} volumes, {on_words(self._on.screen.tally)}"
        if hearing.start_s is not None:
            self._dealer.skip(hearing.start_s, self._on.clock.now())
        if self._dealer.left_out:
            words += f", {self._dealer.left_out} events left out in a pause"
        if self._dealer.past:
            words += f", {self._dealer.past} events left out that were over before the run's start was known"
        return words

    def _pause_or_resume(self, hearing: Hearing) -> None:
        on = self._on
        paused = on.director.paused
        on.screen.mark("pause" if paused else "resume", on.clock.now(), scan=self._scan)
        if paused:
            self._message = "paused: nothing is shown, the scanner goes on; p resumes, a (twice) aborts"
            self._dealer.take_back(on.screen.drop())
        else:
            self._message = ""
            if hearing.start_s is not None:
                self._dealer.skip(hearing.start_s, on.clock.now())

    def _came_on(self, event: int, time_s: float) -> None:
        if event in self._asking:
            self._answers.ask(event, time_s)

    def _let_go(self, hearing: Hearing, end: RunEnd) -> None:
        """Take back what waits, and let the image on the screen come to its end; a long one is cut off.

        So it is neither on in what comes after, nor left without an end in the record.
        """
        screen = self._on.screen
        screen.drop()
        if end.status == "completed":
            return
        self._watch_until_over(hearing, LET_GO_S, SURE_S)
        if screen.waiting:
            screen.cut()
            self._watch_until_over(hearing, CUT_S)

    def _watch_until_over(self, hearing: Hearing, longest_s: float, least_s: float = 0.0) -> None:
        on = self._on
        from_s = on.clock.now()
        while on.clock.now() < from_s + (longest_s if on.screen.waiting else least_s):
            on.clock.sleep(IDLE_S)
            on.screen.watch()
            hearing.listen()

    def _close(self, hearing: Hearing, end: RunEnd) -> None:
        on = self._on
        if self._words_on:
            on.screen.message(None)
        with on.store.transaction():
            on.scans.end(self._scan, on.clock.now(), end.status, end.reason, hearing.summary())
        if self._scanner.simulate is None:  # a simulated one was stopped with the run
            self._overheard.add(hearing.pulses_s)
        log.info("run %s %s: %s", self._plan.label, end.status, end.reason)
        self._shown_s = -math.inf
        self._message = f"run {self._plan.label} {end.status}: {end.reason}"
        self._show(ScanState.BETWEEN)

    def _show(self, state: ScanState | None = None) -> None:
        on, now_s = self._on, self._on.clock.now()
        if now_s < self._shown_s + STATUS_EVERY_S or self._hearing is None:
            return
        self._shown_s = now_s
        hearing = self._hearing
        if state is None:
            state = ScanState.ARMED if hearing.start_s is None else ScanState.RUNNING
            state = ScanState.PAUSED if on.director.paused else state
        fit, tally = hearing.fit, on.screen.tally
        on.show(
            ScanStatus(
                label=self._plan.label,
                place=self._place[0],
                runs=self._place[1],
                attempt=self._attempt,
                state=state,
                volume=hearing.volumes,
                volumes=self._plan.volumes,
                dummies_left=hearing.dummies_left,
                tr_s=None if fit is None else fit.tr_s,
                tr_nominal_s=self._scanner.tr_s,
                run_s=None if hearing.start_s is None else now_s - hearing.start_s,
                duration_s=self._plan.duration_s,
                next_event=self._dealer.next_words(hearing.start_s, now_s),
                finding=hearing.last_finding,
                missed_frames=tally.missed_frames,
                trials_shown=tally.shown,
                trials_invalid=tally.invalid,
                presses=hearing.presses,
                answered=self._answers.tally(now_s),
                message=self._message,
                simulated=self._scanner.simulate is not None,
            )
        )


def on_words(tally: Tally) -> str:
    """Say what was shown."""
    return f"{tally.shown} trials shown, {tally.invalid} of them invalid, {tally.missed_frames} missed frames"
