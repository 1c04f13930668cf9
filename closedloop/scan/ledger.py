"""The pulse ledger: which volume each pulse began, and everything that is not as it should be.

Pure and clock-free: pulses are fed as they come, the time is told with ``tick``. See docs/pulses.md.
"""

from __future__ import annotations

import math
from collections import Counter, deque
from typing import Any

from closedloop.protocol.sections.scan import Scanner
from closedloop.scan import ending, judging, ledger_summary
from closedloop.scan.findings import FindingKind, PulseFinding
from closedloop.scan.fit import SETTLED, RunningFit, TrFit
from closedloop.scan.grid import Grid
from closedloop.scan.ports import Pulse
from closedloop.scan.records import PulseEntry, Verdict
from closedloop.scan.relock import SAME_TR, Relock, find_relock

GRACE_TR = 0.35
"""A pulse that is due is waited for by so many TRs, as it may be late on its way to this program."""

LATE = 0.2
"""A stamp may be late by this share of the pulses' interval where its place is free: a reader that had to wait
for the processor stamps late, never early."""

_WIDEST = 0.4  # of the interval: a pulse that is off by more belongs to no slot rather than to the nearest
_UNSETTLED_JITTERS = 8  # a Gaussian jitter whose standard deviation is jitter_ms stays within this
_EVEN_GAPS = 5


class PulseLedger:
    """Counts the pulses of one scan run.

    Feed every pulse that has come in before telling the time, or a pulse that waits to be fed is taken for
    missing (and taken back when it is fed).

    Args:
        scanner: section of the protocol.
        armed_s: since when pulses would have been heard; None if that is not known.
    """

    def __init__(self, scanner: Scanner, armed_s: float | None = None) -> None:
        self.scanner = scanner
        self.armed_s = armed_s
        self.grid = Grid(scanner)
        self.times_s: dict[int, float] = {}
        self.first_slot_of_fit = 0
        self.counts: Counter[Verdict] = Counter()
        self.findings: Counter[FindingKind] = Counter()
        self.ending: dict[str, Any] | None = None
        self.stopped = False
        self.last = -1
        self._jitter_s = scanner.jitter_ms / 1000
        # a sparse sequence's slices can be closer than the protocol's debounce allows for
        self._debounce_s = min(scanner.debounce_ms / 1000, self.grid.interval_s / 2)
        self._fit = RunningFit(scanner.tr_s, self._jitter_s)
        self._judge = judging.TrJudge(scanner)
        self._told = -1
        self._off_s: deque[float] = deque(maxlen=3)
        self._gaps: deque[int] = deque(maxlen=_EVEN_GAPS)
        self._pulses = 0
        self._first_pulse_s: float | None = None
        self._start_s: float | None = None
        self._finished = False
        self._ran_over = False

    # what is known

    @property
    def fit(self) -> TrFit | None:
        """TR and start by the pulses so far; None before there are three on the grid."""
        return self._fit.fit(self.grid.position(self.grid.start))

    @property
    def first_pulse_s(self) -> float | None:
        """Stamp of the first pulse of all, whatever it turned out to be; None before it."""
        return self._first_pulse_s

    @property
    def volumes_seen(self) -> int:
        """Volumes whose (first) pulse came, dummies included."""
        return sum(self.grid.begins_volume(slot) for slot in self.times_s)

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
        if self._start_s is None and self.times_s:
            return self._due_s(self.grid.start)
        return self._start_s

    def stored_volume_time_s(self, volume: int) -> float | None:
        """Return when a stored volume (from 0) began, by its pulse's stamp, or else begins by the fit.

        None before the first pulse.
        """
        slot = self.grid.start + volume * self.grid.slices
        if not self.times_s:
            return None
        return self.times_s[slot] if slot in self.times_s else self._due_s(slot)

    def summary(self) -> dict[str, Any]:
        """Return the run's pulses in sum, ready for JSON; see docs/pulses.md."""
        return ledger_summary.summarise(self, self._first_pulse_s, self._start_s)

    # what comes in

    def feed(self, pulse: Pulse) -> tuple[PulseEntry, list[PulseFinding]]:
        """Take in a pulse.

        Returns:
            What it is taken for, and what it tells.
        """
        number = self._pulses
        self._pulses += 1
        entry, findings = self._place(number, pulse)
        self.counts[entry.verdict] += 1
        return entry, self._noted(findings)

    def tick(self, now_s: float) -> list[PulseFinding]:
        """Tell that it is ``now_s`` and that every pulse heard so far has been fed.

        Returns:
            What the absence of pulses tells: ``missed``, ``stopped``, ``first_missed``.
        """
        return self._noted(self._absent(now_s, GRACE_TR * self.grid.tr_s))

    def finish(self, now_s: float) -> list[PulseFinding]:
        """Tell that the run is over; pulses fed from now on are ``after`` it.

        Returns:
            What its count of pulses tells.
        """
        findings = self._absent(now_s, min(GRACE_TR * self.grid.tr_s, _WIDEST * self.grid.interval_s))
        self._finished = True
        return self._noted(findings)

    # pulses

    def _place(self, number: int, pulse: Pulse) -> tuple[PulseEntry, list[PulseFinding]]:
        time_s = pulse.time_s
        if self._finished:
            return PulseEntry(number, "after", None, math.nan), []
        if not self.times_s:
            return self._begin(number, pulse)
        slot = self.grid.nearest(self._fit.place(time_s))
        residual_s = self._residual_s(slot, time_s)
        if abs(time_s - self.times_s[self.last]) < self._debounce_s:
            gap_s = time_s - self.times_s[self.last]
            return PulseEntry(number, "doubled", None, residual_s), [
                judging.doubled(number, time_s, gap_s, self.grid.volume_of(self.last))
            ]
        if self._starts_anew(slot, time_s):
            return self._relock(Relock("stray_start", (0,), (time_s,)), number, time_s)
        if self._shifts(time_s):
            return self._shift(number, time_s)
        early_s, late_s = self._window_s(slot, pulse.uncertainty_s)
        error_s = time_s - self._due_s(slot)
        on_grid = slot >= 0 and slot not in self.times_s and -early_s <= error_s <= late_s
        if slot >= self.grid.total:
            return PulseEntry(number, "after", None, residual_s), self._beyond(number, time_s)
        relock = None
        if self._off_s or not on_grid:
            slack_s = _UNSETTLED_JITTERS * self._jitter_s
            off_s = (*self._off_s, time_s)
            relock = find_relock(
                self.grid, self._lone(), self.last, self.times_s[self.last], off_s[-3:], slack_s
            )
        if relock is not None:
            return self._relock(relock, number, time_s)
        if on_grid:
            findings = self._arrived(slot, number, time_s)
            self._take(slot, time_s)
            findings += self._judge.judge(self._fit, number, time_s, self.grid.volume_of(slot))
            return self._entry(number, slot, residual_s), findings
        self._off_s.append(time_s)
        verdict = judging.stray_kind(self.scanner)
        return PulseEntry(number, verdict, None, residual_s), [
            judging.stray(verdict, number, time_s, error_s, self.grid, slot)
        ]

    def _begin(self, number: int, pulse: Pulse) -> tuple[PulseEntry, list[PulseFinding]]:
        time_s = self._first_pulse_s = pulse.time_s
        findings = [judging.first(number, time_s, self.armed_s, self.grid.tr_s)]
        slot, numbered_from = 0, self.scanner.trigger.numbered_from
        if numbered_from is not None:
            self.ending = ending.by_number(pulse.mark, numbered_from, self.grid, time_s)
        if self.ending is not None:
            slot = int(self.ending["pulses_short"])
            findings.append(ending.number_finding(self.ending, number, time_s, self.grid.volume_of(slot)))
        self._told = slot
        self._take(slot, time_s)
        return self._entry(number, slot, math.nan), findings

    def _take(self, slot: int, time_s: float) -> None:
        self.times_s[slot] = time_s
        self._fit.add(self.grid.position(slot), time_s)
        self.last = max(self.last, slot)
        self._off_s.clear()
        self._keep_start()

    def _keep_start(self) -> None:
        """Keep the start from now on, if its pulse came or is known to be missing."""
        if self._start_s is None and max(self.last, self._told) >= self.grid.start:
            self._start_s = self.stored_volume_time_s(0)

    def _entry(self, number: int, slot: int, residual_s: float) -> PulseEntry:
        if self.grid.begins_volume(slot):
            return PulseEntry(number, "volume", self.grid.volume_of(slot), residual_s)
        return PulseEntry(number, "slice", None, residual_s)

    def _arrived(self, slot: int, number: int, time_s: float) -> list[PulseFinding]:
        """Return what the way from the last pulse to this one tells."""
        if slot < self.last or slot <= self._told:
            findings = [judging.came_after_all(number, time_s, self.grid, slot)]
            self.stopped = False
            return findings
        findings = []
        missing = range(max(self.last, self._told) + 1, slot)
        if self.stopped:
            findings.append(judging.goes_on(number, time_s, self.grid, self.times_s[self.last]))
        if missing:
            findings.append(judging.missed(missing, time_s, self.grid, self.times_s[self.last], number))
        self.stopped = False
        self._gaps.append(slot - self.last)
        if len(self._gaps) == _EVEN_GAPS and self._gaps[0] > 1 and len(set(self._gaps)) == 1:
            findings += self._judge.every_other(self._gaps[0], number, time_s)
        return findings

    def _beyond(self, number: int, time_s: float) -> list[PulseFinding]:
        if self.scanner.sequence_ends == "open" or self._ran_over:
            return []
        self._ran_over = True
        return [judging.beyond(number, time_s, self.grid)]

    # another grid

    def _lone(self) -> bool:
        """Whether a single pulse is all there is, and no number in it says that it is the scanner's."""
        return len(self.times_s) == 1 and self.scanner.trigger.numbered_from is None

    def _starts_anew(self, slot: int, time_s: float) -> bool:
        """Whether a lone first pulse was followed by silence, and this one stands in no relation to it."""
        if not self._lone() or self._off_s or slot - self.last <= max(2, self.grid.slices):
            return False
        if self.grid.slices > 1:
            return True  # slices follow each other too closely for a phase to tell anything
        slack_s = _UNSETTLED_JITTERS * self._jitter_s + SAME_TR / 3 * slot * self.grid.tr_s
        return abs(time_s - self._due_s(slot)) > slack_s

    def _relock(self, relock: Relock, number: int, time_s: float) -> tuple[PulseEntry, list[PulseFinding]]:
        finding = judging.relocked(self.scanner, relock, number, time_s, self.times_s[self.last])
        if relock.why == "stray_start":
            self.times_s.clear()
            self.last = -1
        tr_s = self.grid.tr_s
        if relock.why == "other_tr":
            span_s = relock.times_s[-1] - relock.times_s[0]
            tr_s *= span_s / (relock.slots[-1] - relock.slots[0]) / self.grid.interval_s
            self._judge.tr_told = True
        self._fit = RunningFit(tr_s, self._jitter_s)
        self.first_slot_of_fit = relock.slots[0]
        for slot, slot_s in zip(relock.slots, relock.times_s, strict=True):
            self._take(slot, slot_s)
        self._told = self.last
        self.stopped = False
        return self._entry(number, self.last, math.nan), [finding]

    def _shifts(self, time_s: float) -> bool:
        """Whether a sparse volume's silence came early, so that its first slices were missed."""
        if self.grid.uniform or self.last >= self.grid.slices - 1:
            return False
        silence = self.grid.position(self.grid.slices) - self.grid.position(self.grid.slices - 1)
        off_s = abs(time_s - self.times_s[self.last] - silence * self.grid.tr_s)
        return off_s <= max(_UNSETTLED_JITTERS * self._jitter_s, LATE * self.grid.interval_s)

    def _shift(self, number: int, time_s: float) -> tuple[PulseEntry, list[PulseFinding]]:
        shift = self.grid.slices - 1 - self.last
        moved = {slot + shift: slot_s for slot, slot_s in self.times_s.items()}
        self.times_s.clear()
        self._fit = RunningFit(self.grid.tr_s, self._jitter_s)
        self.first_slot_of_fit = shift
        for slot, slot_s in (*moved.items(), (self.grid.slices, time_s)):
            self._take(slot, slot_s)
        self._told = self.last
        self.stopped = False
        self.ending = ending.by_pattern(shift, self.grid, self.first_pulse_s)
        return self._entry(number, self.last, math.nan), [ending.pattern_finding(self.ending, number, time_s)]

    # absence

    def _absent(self, now_s: float, grace_s: float) -> list[PulseFinding]:
        if not self.times_s or self._finished or self.stopped:
            return []
        first = max(self.last, self._told) + 1
        slot = first
        while slot < self.grid.total and self._due_s(slot) + grace_s <= now_s:
            slot += 1
        lacking, enough = slot - 1 - self.last, max(2, self.grid.slices)
        if slot == first or (first > self.last + 1 and lacking < enough and slot < self.grid.total):
            return []  # within a volume of slices the first that lacks is told, then all that lacked
        self._told = slot - 1
        last_s = self.times_s[self.last]
        findings = [judging.missed(range(first, slot), now_s, self.grid, last_s, None)]
        if lacking >= enough:
            self.stopped = True
            findings.append(judging.stopped(lacking, now_s, self.grid, self.last, last_s, len(self.times_s)))
        self._keep_start()
        if self.ending is None and (self.stopped or slot == self.grid.total):
            self.ending = ending.by_count(self.scanner, self.grid, self.last, self.start_s(), self._heard_s())
            if self.ending is not None:
                findings.append(ending.count_finding(self.ending, now_s, self.grid.volume_of(self.last)))
        return findings

    def _heard_s(self) -> float | None:
        """Return for how long pulses would have been heard before the first one was."""
        if self.armed_s is None or self._first_pulse_s is None:
            return None
        return self._first_pulse_s - self.armed_s

    # the grid in time

    def _due_s(self, slot: int) -> float:
        return self._fit.predict(self.grid.position(slot))

    def _residual_s(self, slot: int, time_s: float) -> float:
        fit = self.fit
        if fit is None:
            return math.nan
        places = self.grid.position(slot) - self.grid.position(self.grid.start)
        return time_s - fit.start_s - fit.tr_s * places

    def _window_s(self, slot: int, uncertainty_s: float) -> tuple[float, float]:
        """Return by how much a pulse may be early and late for a slot."""
        interval_s = self.grid.interval_s
        late_s = LATE * interval_s
        if self._fit.n < SETTLED:
            early_s = max(_UNSETTLED_JITTERS * self._jitter_s, late_s)
        else:
            ahead = max(0, slot - self.last - 1) * self._fit.scale_s / 3  # the near line turns about its end
            early_s = max(3 * self._jitter_s, 8 * self._fit.scale_s + ahead)
        if math.isfinite(uncertainty_s):
            early_s += uncertainty_s
        widest_s = _WIDEST * interval_s
        return min(early_s, widest_s), min(max(early_s, late_s), widest_s)

    def _noted(self, findings: list[PulseFinding]) -> list[PulseFinding]:
        for finding in findings:
            self.findings[finding.kind] += finding.count > 0
        return findings
