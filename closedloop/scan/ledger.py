"""The pulse ledger: which volume each pulse began, and everything that is not as it should be.

Pure and clock-free: pulses are fed as they come, the time is told with ``tick``. See docs/pulses.md.
"""

from __future__ import annotations

import math
from collections import Counter, deque
from typing import Any

from closedloop.protocol.sections.scan import Scanner
from closedloop.scan import ending, pulse_words
from closedloop.scan.crowd import Crowd, Crowded
from closedloop.scan.findings import FindingKind, PulseFinding, RanBefore
from closedloop.scan.fit import TrFit
from closedloop.scan.grid import Grid
from closedloop.scan.ledger_summary import summarise
from closedloop.scan.ports import Pulse
from closedloop.scan.records import PulseEntry, Verdict
from closedloop.scan.relock import Relock, counts_anew, find_relock, slices_missed, starts_anew
from closedloop.scan.sequence import WIDEST, Sequence
from closedloop.scan.tr_judge import TrJudge

GRACE_TR = 0.4
"""A pulse that is due is waited for by so many TRs, as it may be late on its way to this program."""

SILENT_TR = 1 + GRACE_TR
"""A scanner that has sent nothing for so many TRs does not run."""

_EVEN_GAPS = 5

_Told = tuple[PulseEntry, list[PulseFinding]]


class PulseLedger:
    """Counts the pulses of one scan run.

    Feed every pulse that has come in before telling the time, or a pulse that waits to be fed is taken for
    missing (and that is taken back when it is fed).

    Args:
        scanner: section of the protocol.
        armed_s: since when pulses would have been heard; None if that is not known.
        before: pulses that came until then; None: the scanner was silent.
    """

    def __init__(
        self, scanner: Scanner, armed_s: float | None = None, before: RanBefore | None = None
    ) -> None:
        self._scanner = scanner
        self._armed_s = armed_s
        self._before = before
        self._grid = Grid(scanner)
        # a sparse sequence's slices can be closer than the protocol's debounce allows for
        self._debounce_s = min(scanner.debounce_ms / 1000, self._grid.interval_s / 2)
        self._sequence = Sequence(self._grid, scanner.jitter_ms / 1000)
        self._judge = TrJudge(scanner)
        self._crowd = Crowd(
            self._grid.interval_s, scanner.jitter_ms / 1000, self._debounce_s, bursts=self._grid.slices == 1
        )
        self._counts: Counter[Verdict] = Counter()
        self._findings: Counter[FindingKind] = Counter()
        self._told = -1  # highest slot that is known to have come or to lack
        self._off_s: deque[float] = deque(maxlen=2)  # pulses since the last one on the grid
        self._gaps: deque[int] = deque(maxlen=_EVEN_GAPS)
        self._pulses = 0
        self._heard_s = -math.inf  # stamp of the latest pulse, whatever it was taken for
        self._first_pulse_s: float | None = None
        self._start_s: float | None = None
        self._first_missed: dict[str, Any] | None = None
        self._first_mark = ""
        self._numbered = False  # the first pulse bears a number that says which of the sequence it is
        self._stopped = self._ran_over = self._finished = False

    # what is known

    @property
    def fit(self) -> TrFit | None:
        """TR and start by the pulses so far; None before there are three on the grid."""
        return self._sequence.fit

    @property
    def first_pulse_s(self) -> float | None:
        """Stamp of the first pulse of all, whatever it turned out to be; None before it."""
        return self._first_pulse_s

    @property
    def volumes_seen(self) -> int:
        """Volumes whose (first) pulse came, dummies included."""
        return self._sequence.volumes()

    @property
    def start_known(self) -> bool:
        """Whether the first stored volume has begun, so that ``start_s`` changes no more."""
        return self._start_s is not None

    def start_s(self) -> float | None:
        """Return when the first stored volume, the one after the dummies, begins or began.

        Its pulse's own stamp if that came, the fit's time if it was missed, the time that it is due as long as
        it lies ahead; None before the first pulse. Once ``start_known`` it stays, whatever is found later:
        the onsets of the run are counted from it.
        """
        return self.stored_volume_time_s(0) if self._start_s is None else self._start_s

    def stored_volume_time_s(self, volume: int) -> float | None:
        """Return when a stored volume (from 0) began, by its pulse's stamp, or else begins by the fit.

        None before the first pulse.
        """
        if not self._sequence.times_s:
            return None
        return self._sequence.stamp_s(self._grid.start + volume * self._grid.slices)

    def summary(self) -> dict[str, Any]:
        """Return the run's pulses in sum, ready for JSON; docs/pulses.md says what is in it."""
        return {
            "first_pulse_s": self._first_pulse_s,
            "start_s": self._start_s,
            **summarise(self._sequence),
            "pulses": dict(self._counts),
            "findings": dict(self._findings),
            "stopped": self._stopped,
            "first_missed": self._first_missed,
        }

    # what comes in

    def feed(self, pulse: Pulse) -> tuple[PulseEntry, list[PulseFinding]]:
        """Take in a pulse.

        Returns:
            What it is taken for, and what it tells.
        """
        number = self._pulses
        self._pulses += 1
        self._heard_s = max(self._heard_s, pulse.time_s)
        findings: list[PulseFinding] = []
        if self._finished:
            entry = PulseEntry(number, "after", None, math.nan)
        else:
            crowded = self._crowd.feed(pulse.time_s)
            entry, findings = (self._place if self._sequence.times_s else self._begin)(number, pulse)
            if crowded is not None and self._crowd.found is crowded:  # no other grid was found for them
                entry, findings = self._crowded(crowded, entry, findings, pulse.time_s)
        self._counts[entry.verdict] += 1
        return entry, self._noted(findings)

    def tick(self, now_s: float) -> list[PulseFinding]:
        """Tell that it is ``now_s`` and that every pulse heard up to then has been fed.

        So the clock is to be read *before* the pulses are taken from the reader, and no later time is to be told than
        the reader has listened to: one that came in while either had to wait for the processor would be taken for
        missing.

        Returns:
            What the absence of pulses tells: ``missed``, ``stopped``, ``first_missed``.
        """
        return self._noted(self._absent(now_s, GRACE_TR * self._grid.tr_s))

    def finish(self, now_s: float) -> list[PulseFinding]:
        """Tell that the run is over; pulses fed from now on are ``after`` it.

        Returns:
            What its count of pulses tells.
        """
        grace_s = min(GRACE_TR * self._grid.tr_s, WIDEST * self._grid.interval_s)
        findings = self._absent(now_s, grace_s)
        self._finished = True
        return self._noted(findings)

    # pulses

    def _begin(self, number: int, pulse: Pulse) -> _Told:
        time_s = self._first_pulse_s = pulse.time_s
        slot, numbered_from, doubt = 0, self._scanner.trigger.numbered_from, ""
        self._first_mark = pulse.mark
        if numbered_from is not None:
            doubt = ending.number_doubt(pulse.mark, numbered_from, self._grid)
            self._numbered = not doubt
        findings = [pulse_words.first(number, time_s, self._armed_s, self._grid.tr_s, doubt)]
        if self._before is not None and time_s - self._before.last_s > SILENT_TR * self._grid.tr_s:
            self._before = None  # it fell silent, and this is another sequence
        if self._before is not None:
            findings.append(pulse_words.running(number, time_s, self._before))
        if numbered_from is not None:
            self._first_missed = ending.by_number(pulse.mark, numbered_from, self._grid, time_s)
        if self._first_missed is not None:
            slot = int(self._first_missed["pulses_short"])
            volume = self._grid.volume_of(slot)
            findings.append(ending.number_finding(self._first_missed, number, time_s, volume))
        self._told = slot
        self._take(slot, time_s)
        return self._entry(number, slot, math.nan), findings

    def _place(self, number: int, pulse: Pulse) -> _Told:
        sequence, time_s = self._sequence, pulse.time_s
        if self._counts_anew(pulse):
            return self._begin_anew(number, pulse)
        slot = sequence.nearest(time_s)
        residual_s = sequence.residual_s(slot, time_s)
        gap_s = time_s - sequence.last_s
        if abs(gap_s) < self._debounce_s:
            volume = self._grid.volume_of(sequence.last)
            doubled = pulse_words.doubled(number, time_s, gap_s, volume)
            return PulseEntry(number, "doubled", None, residual_s), self._news(doubled)
        if self._lone() and not self._off_s and starts_anew(sequence, slot, time_s):
            return self._relock(Relock("stray_start", (0,), (time_s,)), number, time_s)
        if (shift := slices_missed(sequence, gap_s)) > 0:
            return self._shift(shift, number, time_s)
        if slot >= self._grid.total and not self._is_of_last(time_s):
            return PulseEntry(number, "after", None, residual_s), self._beyond(number, time_s)
        fits = sequence.free_for(slot, time_s, pulse.uncertainty_s, self._crowd.window_s)
        if self._off_s or not fits:
            off_s = (*self._off_s, time_s)
            relock = find_relock(sequence, off_s, lone=self._lone())
            if relock is not None:
                return self._relock(relock, number, time_s)
        if fits:
            findings = self._arrived(slot, number, time_s)
            taken_back = [] if slot < sequence.last else self._silence_ended(number, time_s)
            self._take(slot, time_s)
            findings += taken_back
            if taken_back and self._told >= self._grid.total - 1:
                findings += self._fell_short(time_s)
            if self._counts["extra"] + self._counts["human"] < len(sequence.times_s):
                # else what stands on the places may stand there by chance
                findings += self._judge.judge(sequence.running, number, time_s, self._grid.volume_of(slot))
            return self._entry(number, slot, residual_s), findings
        self._off_s.append(time_s)
        verdict = pulse_words.stray_kind(self._scanner)
        error_s = time_s - sequence.due_s(slot)
        stray = pulse_words.stray(verdict, number, time_s, error_s, self._grid, slot)
        return PulseEntry(number, verdict, None, residual_s), self._news(stray)

    def _is_of_last(self, time_s: float) -> bool:
        """Return whether a pulse is one of several in the last TR, rather than one after it."""
        found = self._crowd.found
        return found is not None and time_s < self._sequence.due_s(self._grid.total) - found.spacing_s / 2

    def _news(self, finding: PulseFinding) -> list[PulseFinding]:
        """Return a finding about a pulse without a place, unless it was told of all that are like it."""
        return [] if self._crowd.holds else [finding]

    def _take(self, slot: int, time_s: float) -> None:
        self._sequence.take(slot, time_s)
        self._off_s.clear()
        self._keep_start()

    def _keep_start(self) -> None:
        """Keep the start from now on, if its pulse came or is known to be missing."""
        if self._start_s is None and max(self._sequence.last, self._told) >= self._grid.start:
            self._start_s = self.stored_volume_time_s(0)

    def _entry(self, number: int, slot: int, residual_s: float) -> PulseEntry:
        if self._grid.begins_volume(slot):
            return PulseEntry(number, "volume", self._grid.volume_of(slot), residual_s)
        return PulseEntry(number, "slice", None, residual_s)

    def _arrived(self, slot: int, number: int, time_s: float) -> list[PulseFinding]:
        """Return what the way from the last pulse to this one tells."""
        last, last_s = self._sequence.last, self._sequence.last_s
        findings = []
        if self._stopped:
            findings.append(pulse_words.goes_on(number, time_s, self._grid, last_s))
            self._stopped = False
        if slot <= max(last, self._told):
            return [*findings, pulse_words.came_after_all(number, time_s, self._grid, slot)]
        missing = range(max(last, self._told) + 1, slot)
        if missing:
            findings.append(pulse_words.missed(missing, time_s, self._grid, last_s, number))
        self._gaps.append(slot - last)
        if len(self._gaps) == _EVEN_GAPS and self._gaps[0] > 1 and len(set(self._gaps)) == 1:
            findings += self._judge.every_other(self._gaps[0], number, time_s)
        return findings

    def _beyond(self, number: int, time_s: float) -> list[PulseFinding]:
        if self._scanner.sequence_ends == "open" or self._ran_over:
            return []
        self._ran_over = True
        return [pulse_words.beyond(number, time_s, self._grid)]

    # another grid

    def _lone(self) -> bool:
        """Whether a single pulse is all there is, and no number in it says that it is the scanner's."""
        return len(self._sequence.times_s) == 1 and not self._numbered

    def _counts_anew(self, pulse: Pulse) -> bool:
        """Whether a pulse's number says that the sequence begins with it, and not with the lone one before."""
        numbered_from = self._scanner.trigger.numbered_from
        if numbered_from is None or len(self._sequence.times_s) > 1:
            return False
        return counts_anew(self._sequence, self._first_mark, pulse, numbered_from)

    def _begin_anew(self, number: int, pulse: Pulse) -> _Told:
        """Take a pulse for the sequence's first, as its number says."""
        entry, findings = self._relock(Relock("stray_start", (0,), (pulse.time_s,)), number, pulse.time_s)
        if self._first_missed is not None:
            findings.append(ending.number_taken_back(number, pulse.time_s))
        self._first_mark, self._numbered = pulse.mark, True
        self._first_missed = self._before = None
        return entry, findings

    def _relock(self, relock: Relock, number: int, time_s: float) -> _Told:
        begun = self.start_known
        last_s = self._sequence.stamp_s(0) if relock.why == "stray_start" else self._sequence.last_s
        finding = pulse_words.relocked(self._scanner, relock, number, time_s, last_s, begun=begun)
        tr_s = self._grid.tr_s
        if relock.why == "other_tr":
            step_s = (relock.times_s[-1] - relock.times_s[0]) / (relock.slots[-1] - relock.slots[0])
            tr_s *= step_s / self._grid.interval_s
            self._judge.tr_told = True
            self._crowd.stands_on(step_s)
        pulses = dict(zip(relock.slots, relock.times_s, strict=True))
        entry, moving = self._move(pulses, tr_s, number, keep=relock.why != "stray_start")
        return entry, [finding, *moving]

    def _crowded(
        self, crowded: Crowded, entry: PulseEntry, findings: list[PulseFinding], time_s: float
    ) -> _Told:
        """Tell that more pulses come than there are places, and let those stand there that are of these places."""
        sequence, number = self._sequence, entry.pulse
        findings = [*findings, pulse_words.crowded(crowded, number, time_s, self._grid)]
        if self._first_missed is not None and self._first_missed["by"] == "number":
            self._first_missed = None
            findings.append(ending.number_of_crowd(number, time_s))
        tr_s = self._grid.tr_s
        if crowded.burst is not None:
            pulses = sequence.anew_from_bursts(crowded.times_s)
        else:
            # slices at the protocol's places tell a TR that is one by their number alone
            self._judge.tr_told = self._judge.drift_told = True
            pulses = sequence.anew(crowded.times_s, crowded.spacing_s, crowded.share or 1)
            if crowded.share is None:
                tr_s *= crowded.spacing_s / self._grid.interval_s
                self._crowd.stands_on(crowded.spacing_s)
        if not pulses or pulses == {slot: at for slot, at in sequence.times_s.items() if slot >= min(pulses)}:
            return entry, findings
        moved, moving = self._move(pulses, tr_s, number, keep=True)
        if time_s not in sequence.times_s.values():
            moved = PulseEntry(number, pulse_words.stray_kind(self._scanner), None, math.nan)
        return moved, findings + moving

    def _shift(self, shift: int, number: int, time_s: float) -> _Told:
        pulses = {slot + shift: slot_s for slot, slot_s in self._sequence.times_s.items()}
        pulses[self._grid.slices] = time_s
        self._first_missed = ending.by_pattern(shift, self._grid, self._first_pulse_s)
        finding = ending.pattern_finding(self._first_missed, number, time_s)
        entry, moving = self._move(pulses, self._grid.tr_s, number, keep=False)
        return entry, [finding, *moving]

    def _move(self, pulses: dict[int, float], tr_s: float, number: int, *, keep: bool) -> _Told:
        """Let the sequence go on from pulses in other slots; return the last one's entry, and what is taken back."""
        taken_back = self._silence_ended(number, max(pulses.values()))
        self._sequence.move(pulses, tr_s, keep=keep)
        self._told = self._sequence.last
        self._stopped = False
        self._off_s.clear()
        self._gaps.clear()
        self._keep_start()
        return self._entry(number, self._sequence.last, math.nan), taken_back

    # absence

    def _absent(self, now_s: float, grace_s: float) -> list[PulseFinding]:
        if not self._sequence.times_s or self._finished or self._stopped:
            return []
        last, last_s = self._sequence.last, self._sequence.last_s
        first = slot = max(last, self._told) + 1
        while slot < self._grid.total and self._sequence.due_s(slot) + grace_s <= now_s:
            slot += 1
        lacking, enough = slot - 1 - last, max(2, self._grid.slices)
        if slot == first or (first > last + 1 and lacking < enough and slot < self._grid.total):
            return []  # within a volume of slices the first that lacks is told, and then all that lacked
        self._told = slot - 1
        findings = []
        # a scanner whose pulses come, if not where they are due, has not stopped
        self._stopped = lacking >= enough and now_s - self._heard_s >= self._grid.tr_s
        if not self._stopped or self._grid.slices == 1:
            findings.append(pulse_words.missed(range(first, slot), now_s, self._grid, last_s, None))
        if self._stopped:
            findings.append(
                pulse_words.stopped(lacking, now_s, self._grid, last, self._heard_s, self._pulses)
            )
        self._keep_start()
        if self._stopped or slot == self._grid.total:
            findings += self._fell_short(now_s)
        return findings

    def _fell_short(self, now_s: float) -> list[PulseFinding]:
        """Return both readings of a silence that came a little before the sequence's count was full."""
        if self._first_missed is not None or self._first_pulse_s is None:
            return []
        heard_s = None if self._armed_s is None else self._first_pulse_s - self._armed_s
        last = self._sequence.last
        ran = self._before is not None
        self._first_missed = ending.by_count(
            self._scanner, self._grid, last, self.start_s(), heard_s, ran_before=ran
        )
        if self._first_missed is None:
            return []
        return [ending.count_finding(self._first_missed, now_s, self._grid.volume_of(last))]

    def _silence_ended(self, number: int, time_s: float) -> list[PulseFinding]:
        """Take back what was concluded from a silence, as a pulse came after it."""
        if self._first_missed is None or self._first_missed["by"] != "count":
            return []
        self._first_missed = None
        return [ending.count_taken_back(number, time_s)]

    def _noted(self, findings: list[PulseFinding]) -> list[PulseFinding]:
        for finding in findings:
            self._findings[finding.kind] += finding.count > 0
        return findings
