"""What a pulse, or the want of one, is called, and the sentences for the operator."""

from __future__ import annotations

import math
from typing import Literal, TypeAlias

from closedloop.protocol.sections.scan import Scanner
from closedloop.scan.findings import PulseFinding
from closedloop.scan.fit import NEAR, SETTLED, RunningFit
from closedloop.scan.grid import Grid
from closedloop.scan.relock import Relock

Stray: TypeAlias = Literal["extra", "human"]

SURE = 4.5
"""Standard errors by which a TR must be off to be called so: about one false alarm in 100,000 pulses."""

SURE_BEYOND = 2.5
"""Standard errors by which it must be off beyond the tolerance."""

DRIFT_SHARE = 0.25
"""Share of the protocol's TR tolerance by which the TR may change over a run."""

_DRIFT_FROM = 20  # pulses; a parabola through fewer says nothing
_DRIFT_EVERY = 4


class TrJudge:
    """Says, once each, that the TR is not the protocol's and that it changes.

    Args:
        scanner: section of the protocol.
    """

    def __init__(self, scanner: Scanner) -> None:
        self._tr_s = scanner.tr_s
        self._tolerance_s = scanner.tr_tolerance * scanner.tr_s
        self._jitter_s = scanner.jitter_ms / 1000
        self.tr_told = False
        self.drift_told = False

    def judge(self, running: RunningFit, pulse: int, time_s: float, volume: int) -> list[PulseFinding]:
        """Return what the fit tells after a pulse was added to it."""
        findings = []
        if not self.tr_told and running.n >= SETTLED:
            findings += self._tr(running, pulse, time_s, volume)
        if not self.drift_told and running.n >= max(NEAR, _DRIFT_FROM) and running.n % _DRIFT_EVERY == 0:
            findings += self._drift(running, pulse, time_s, volume)
        return findings

    def every_other(self, step: int, pulse: int, time_s: float) -> list[PulseFinding]:
        """Return, once, that pulses come in every ``step``-th place only."""
        if self.tr_told:
            return []
        self.tr_told = True
        words = (
            f"Pulses come every {step} x {self._tr_s:g} s: either each time {step - 1} between them get lost, "
            "or the TR is not the protocol's."
        )
        detail = {"tr_nominal_s": self._tr_s, "tr_if_none_lost_s": step * self._tr_s}
        return [PulseFinding("tr_off", time_s, words, pulse=pulse, detail=detail)]

    def _tr(self, running: RunningFit, pulse: int, time_s: float, volume: int) -> list[PulseFinding]:
        fit = running.fit(0.0)
        if fit is None:
            return []
        # the protocol's jitter is believed even where the first pulses happen to lie well
        se_s = fit.tr_se_s * max(self._jitter_s, fit.scale_s) / fit.scale_s
        off_s = fit.tr_s - self._tr_s
        if abs(off_s) <= max(self._tolerance_s + SURE_BEYOND * se_s, SURE * se_s):
            return []
        self.tr_told = True
        percent = 100 * off_s / self._tr_s
        words = (
            f"The TR is {fit.tr_s:.4f} s, not the protocol's {self._tr_s:g} s ({percent:+.2f} %), by {fit.n} "
            f"pulses: after 100 volumes the plan would be {abs(100 * off_s):.2f} s off the volumes."
        )
        detail = {"tr_nominal_s": self._tr_s, "tr_fitted_s": fit.tr_s, "tr_se_s": se_s, "pulses": fit.n}
        return [PulseFinding("tr_off", time_s, words, pulse=pulse, volume=volume, detail=detail)]

    def _drift(self, running: RunningFit, pulse: int, time_s: float, volume: int) -> list[PulseFinding]:
        bend = running.bend()
        if bend is None:
            return []
        limit_s = max(
            DRIFT_SHARE * self._tolerance_s + SURE_BEYOND * bend.change_se_s, SURE * bend.change_se_s
        )
        if abs(bend.change_s) <= limit_s:
            return []
        self.drift_told = True
        words = (
            f"The TR drifts: it changed by {1000 * bend.change_s:+.2f} ms "
            f"({100 * bend.change_s / self._tr_s:+.3f} %) over {running.n} pulses."
        )
        detail = {"tr_change_s": bend.change_s, "tr_change_se_s": bend.change_se_s, "pulses": running.n}
        return [PulseFinding("drift", time_s, words, pulse=pulse, volume=volume, detail=detail)]


def first(pulse: int, time_s: float, armed_s: float | None, tr_s: float) -> PulseFinding:
    """The first pulse came."""
    if armed_s is None:
        return PulseFinding("first", time_s, "The first pulse came.", pulse=pulse, volume=0)
    heard_s = time_s - armed_s
    words = f"The first pulse came, {heard_s:.1f} s after the trigger was armed."
    late = heard_s < tr_s
    if late:
        words += " That is less than a TR: the scanner may have been running already."
    detail = {"heard_before_s": heard_s, "may_have_run_already": late}
    return PulseFinding("first", time_s, words, pulse=pulse, volume=0, detail=detail)


def doubled(pulse: int, time_s: float, gap_s: float, volume: int) -> PulseFinding:
    """A pulse right after another."""
    words = f"Two pulses {1000 * abs(gap_s):.0f} ms apart at {_volume(volume)}: counted once."
    return PulseFinding("doubled", time_s, words, pulse=pulse, volume=volume, detail={"gap_s": gap_s})


def stray_kind(scanner: Scanner) -> Stray:
    """Return what a pulse off the grid is called: only at a keyboard can a person make one."""
    return "human" if scanner.trigger.path == "keyboard" else "extra"


def stray(kind: Stray, pulse: int, time_s: float, error_s: float, grid: Grid, slot: int) -> PulseFinding:
    """A pulse that stands in no place of its own."""
    volume = grid.volume_of(max(slot, 0))
    near = f"{abs(error_s):.3f} s {'before' if error_s < 0 else 'after'} {_volume(volume)}"
    words = f"A pulse that was not due, {near}: not counted."
    if kind == "human":
        words += " Probably a person pressed the trigger's key."
    return PulseFinding(kind, time_s, words, pulse=pulse, volume=volume, detail={"off_s": error_s})


def missed(slots: range, time_s: float, grid: Grid, last_s: float, pulse: int | None) -> PulseFinding:
    """Pulses that were due did not come, or have not come yet."""
    silent_tr = (time_s - last_s) / grid.tr_s
    volume = grid.volume_of(slots[0])
    what = _volume(volume) if len(slots) == 1 else f"{len(slots)} pulses from {_volume(volume)} on"
    if grid.slices > 1:
        what += f" (slice {slots[0] % grid.slices})"
    verb = "has not come" if pulse is None else "did not come"
    words = f"The pulse of {what} {verb}." if len(slots) == 1 else f"{what} {verb.replace('has', 'have')}."
    detail = {"silent_tr": silent_tr, "slots": list(slots)}
    return PulseFinding("missed", time_s, words, count=len(slots), pulse=pulse, volume=volume, detail=detail)


def came_after_all(pulse: int, time_s: float, grid: Grid, slot: int) -> PulseFinding:
    """A pulse that was called missed was only late on its way."""
    volume = grid.volume_of(slot)
    words = f"The pulse of {_volume(volume)} came after all: it was not missed, but late on its way."
    return PulseFinding("missed", time_s, words, count=0, pulse=pulse, volume=volume)


def stopped(lacking: int, now_s: float, grid: Grid, last: int, last_s: float, seen: int) -> PulseFinding:
    """So many pulses in a row did not come that the scanner must have stopped."""
    silent_s = now_s - last_s
    volume = grid.volume_of(last)
    words = (
        f"The scanner has stopped: no pulse for {silent_s:.1f} s, {lacking} were due; "
        f"{_volume(volume)} was the last."
    )
    if seen == 1:
        words += " Only one pulse ever came: it may not have been the scanner's."
    detail = {"silent_s": silent_s, "silent_tr": silent_s / grid.tr_s, "last_pulse_s": last_s}
    return PulseFinding("stopped", now_s, words, count=lacking, volume=volume, detail=detail)


def goes_on(pulse: int, time_s: float, grid: Grid, last_s: float) -> PulseFinding:
    """A scanner that was taken for stopped sends pulses again."""
    silent_tr = (time_s - last_s) / grid.tr_s
    words = f"Pulses come again after {silent_tr:.1f} TR: the scanner had not stopped."
    return PulseFinding("stopped", time_s, words, count=0, pulse=pulse, detail={"silent_tr": silent_tr})


def beyond(pulse: int, time_s: float, grid: Grid) -> PulseFinding:
    """The scanner goes on when the sequence should be over."""
    volumes = grid.total // grid.slices
    words = (
        f"A pulse after all {volumes} volumes of the sequence: it makes more than the protocol says, or the "
        "first pulse that was counted was not the scanner's."
    )
    return PulseFinding("extra", time_s, words, pulse=pulse, detail={"expected_pulses": grid.total})


def relocked(scanner: Scanner, relock: Relock, pulse: int, time_s: float, last_s: float) -> PulseFinding:
    """The pulses stand on another grid than was believed."""
    begin_s = relock.times_s[0]
    volume = relock.slots[-1] // scanner.slices
    if relock.why == "stray_start":
        shift_s = begin_s - last_s
        words = (
            f"The first pulse was not the scanner's: the sequence began {shift_s:.3f} s later, and volumes "
            "are counted from there. The run's onsets still count from the start that was believed."
        )
        detail = {"start_shift_s": shift_s, "first_volume_s": begin_s}
        return PulseFinding(stray_kind(scanner), time_s, words, pulse=pulse, volume=volume, detail=detail)
    if relock.why == "other_tr":
        tr_s = (relock.times_s[-1] - begin_s) / (relock.slots[-1] - relock.slots[0]) * scanner.slices
        words = f"The TR is about {tr_s:.3f} s, not the protocol's {scanner.tr_s:g} s."
        detail = {"tr_nominal_s": scanner.tr_s, "tr_fitted_s": tr_s}
        return PulseFinding("tr_off", time_s, words, pulse=pulse, volume=volume, detail=detail)
    jump_s = math.remainder(begin_s - last_s, scanner.tr_s / scanner.slices)
    words = (
        f"The pulses now come {jump_s:+.3f} s off their former places: the sequence was started again, or "
        "held up. Volumes are counted on by the time that passed."
    )
    return PulseFinding("extra", time_s, words, pulse=pulse, volume=volume, detail={"phase_jump_s": jump_s})


def _volume(volume: int) -> str:
    return f"volume {volume}"
