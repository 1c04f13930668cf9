"""Findings about pulses, or the want of them, in sentences for the operator."""

from __future__ import annotations

import math
from dataclasses import asdict
from typing import Literal, TypeAlias

from closedloop.protocol.sections.scan import Scanner
from closedloop.scan.crowd import Crowded
from closedloop.scan.findings import PulseFinding, RanBefore
from closedloop.scan.grid import Grid
from closedloop.scan.relock import Relock

Stray: TypeAlias = Literal["extra", "human"]


def first(pulse: int, time_s: float, armed_s: float | None, tr_s: float, doubt: str = "") -> PulseFinding:
    """The first pulse came; ``doubt`` is of its number, in words."""
    if armed_s is None:
        words = f"The first pulse came. {doubt}".rstrip()
        return PulseFinding("first", time_s, words, pulse=pulse, volume=0)
    heard_s = time_s - armed_s
    words = f"The first pulse came, {heard_s:.1f} s after the trigger was armed."
    late = heard_s < tr_s
    if late:
        words += " That is less than a TR: the scanner may have been running already."
    words += f" {doubt}" if doubt else ""
    detail = {"heard_before_s": heard_s, "may_have_run_already": late}
    return PulseFinding("first", time_s, words, pulse=pulse, volume=0, detail=detail)


def running(pulse: int, time_s: float, before: RanBefore) -> PulseFinding:
    """The first pulse of a run goes on with pulses that came before it was armed."""
    pulses = "a pulse" if before.pulses == 1 else f"{before.pulses} pulses"
    words = (
        f"The scanner is running already: {pulses} came before the run was armed, the last one "
        f"{time_s - before.last_s:.1f} s before the run's first, so that this is not the sequence's first. Stop "
        "the scanner, arm the run again, and start the scanner then."
    )
    return PulseFinding(
        "running", time_s, words, count=before.pulses, pulse=pulse, volume=0, detail=asdict(before)
    )


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


def stopped(lacking: int, now_s: float, grid: Grid, last: int, heard_s: float, pulses: int) -> PulseFinding:
    """So many pulses in a row did not come that the scanner must have stopped.

    Args:
        lacking: how many.
        now_s: when it became known.
        grid: of the sequence.
        last: slot of the last pulse that stood in one.
        heard_s: stamp of the last pulse of all.
        pulses: how many came in all.
    """
    silent_s = now_s - heard_s
    volume = grid.volume_of(last)
    words = (
        f"The scanner has stopped: no pulse for {silent_s:.1f} s, {lacking} were due; "
        f"{_volume(volume)} was the last."
    )
    if pulses == 1:
        words += " Only one pulse ever came: it may not have been the scanner's."
    detail = {"silent_s": silent_s, "silent_tr": silent_s / grid.tr_s, "last_pulse_s": heard_s}
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


def relocked(
    scanner: Scanner, relock: Relock, pulse: int, time_s: float, last_s: float, *, begun: bool
) -> PulseFinding:
    """The pulses stand on another grid than was believed.

    Args:
        scanner: section of the protocol.
        relock: that grid.
        pulse: number of the pulse that told it.
        time_s: its stamp.
        last_s: of the last pulse on the grid so far.
        begun: the run's start was kept by the former grid.
    """
    begin_s = relock.times_s[0]
    volume = relock.slots[-1] // scanner.slices
    if relock.why == "stray_start":
        shift_s = begin_s - last_s
        words = (
            f"The first pulse was not the scanner's: the sequence began {shift_s:.3f} s after the start that was "
            "believed, and volumes are counted from there. "
        )
        words += (
            "The run's onsets still count from the start that was believed."
            if begun
            else "The run had not started by then: its start will be the right one."
        )
        detail = {"start_shift_s": shift_s, "first_volume_s": begin_s}
        return PulseFinding(stray_kind(scanner), time_s, words, pulse=pulse, volume=volume, detail=detail)
    if relock.why == "other_tr":
        tr_s = (relock.times_s[-1] - begin_s) / (relock.slots[-1] - relock.slots[0]) * scanner.slices
        words = f"The TR is about {tr_s:.3f} s, not the protocol's {scanner.tr_s:g} s"
        slices = round(scanner.slices * scanner.tr_s / tr_s)
        words += (
            "." if scanner.slices == 1 else f", or a volume has about {slices} slices, not {scanner.slices}."
        )
        detail = {"tr_nominal_s": scanner.tr_s, "tr_fitted_s": tr_s}
        return PulseFinding("tr_off", time_s, words, pulse=pulse, volume=volume, detail=detail)
    jump_s = math.remainder(begin_s - last_s, scanner.tr_s / scanner.slices)
    words = (
        f"The pulses now come {jump_s:+.3f} s off their former places: the sequence was started again, or "
        "held up. Volumes are counted on by the time that passed."
    )
    return PulseFinding("extra", time_s, words, pulse=pulse, volume=volume, detail={"phase_jump_s": jump_s})


def crowded(found: Crowded, pulse: int, time_s: float, grid: Grid) -> PulseFinding:
    """More pulses come than the protocol knows of, regularly."""
    every_s, interval_s = found.spacing_s, grid.interval_s
    words = f"Pulses come every {every_s:.3f} s, where the protocol has one every {interval_s:g} s: "
    if found.burst is not None:
        words = (
            f"In each TR come {found.burst} pulses, {every_s:.3f} s apart, where the protocol has one: the scanner "
            f"sends one a slice (pulse_per: slice, slices: {found.burst}, acquisition_s: "
            f"{found.burst * every_s:.3f}), or each of its pulses is heard {found.burst} times."
        )
    elif grid.slices > 1:
        slices = round(grid.slices * interval_s / every_s)
        words += f"a volume has about {slices} slices and not {grid.slices}, or the TR is another."
    elif found.share is not None:
        words += (
            f"the scanner sends one a slice (pulse_per: slice, slices: {found.share}), or the TR is another."
        )
    else:
        words += "the scanner sends one a slice (pulse_per: slice), or the TR is another."
    if found.burst is None and found.share is None:
        words += " From now on each is counted as one of the sequence's."
    else:
        words += " Volumes are counted by the protocol's TR; what comes between is recorded, but not told one by one."
    detail = {"tr_nominal_s": grid.tr_s, "pulses_every_s": every_s, "pulses_in_burst": found.burst}
    return PulseFinding("tr_off", time_s, words, pulse=pulse, detail=detail)


def _volume(volume: int) -> str:
    return f"volume {volume}"
