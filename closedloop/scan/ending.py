"""Was the first pulse missed? What the count, the pattern and the time of arming can tell of it.

A sequence that makes N pulses and of which the last N - k came looks, pulse for pulse, like one of which the
first N - k came: the same distances, the same silence after. Where only the count tells, both readings are
given, and nothing is claimed. See docs/pulses.md.
"""

from __future__ import annotations

from typing import Any

from closedloop.protocol.sections.scan import Scanner
from closedloop.scan.findings import PulseFinding
from closedloop.scan.grid import Grid
from closedloop.scan.pulse_numbers import passed

MOST_MISSED = 3
"""Volumes that a run may be short of at its end and still be taken for one that began late."""


def by_count(
    scanner: Scanner,
    grid: Grid,
    last: int,
    start_s: float | None,
    heard_s: float | None,
    *,
    ran_before: bool = False,
) -> dict[str, Any] | None:
    """Return both readings of a sequence that fell silent a few pulses short of its count.

    Args:
        scanner: section of the protocol.
        grid: of the sequence.
        last: slot of the last pulse.
        start_s: of the first stored volume, as believed.
        heard_s: for how long pulses would have been heard before the first one was; None if not known.
        ran_before: pulses came before the run was armed, so that any number of them may be missed.

    Returns:
        None if the count tells nothing: the sequence has no set end, or is short of nothing, or of too much.
    """
    short = grid.total - 1 - last
    most = grid.total if ran_before else MOST_MISSED * grid.slices
    if scanner.sequence_ends == "open" or not 1 <= short <= most:
        return None
    if not grid.uniform and short % grid.slices:
        return None  # had slices at the start been missed, the silence between volumes would have told it
    offset_tr = grid.position(short)
    offset_s = offset_tr * grid.tr_s
    listening = heard_s is not None and heard_s > offset_s
    began = {
        "reading": "first_missed",
        "means": f"the sequence's first {_were(short)} not heard; the last one heard was its last",
        "offset_tr": offset_tr,
        "offset_s": offset_s,
        "start_s": None if start_s is None else start_s - offset_s,
    }
    ended = {
        "reading": "ended_short",
        "means": f"the first pulse heard was the sequence's first; its last {_were(short)} not sent or lost",
        "offset_tr": 0.0,
        "offset_s": 0.0,
        "start_s": start_s,
    }
    return {
        "by": "count",
        "sure": False,
        "pulses_short": short,
        "heard_before_s": heard_s,
        "listening_when_due": None if heard_s is None else listening,
        "pulses_before_arming": ran_before,
        "readings": [began, ended],
        "told_by": "volumes in the images: fewer than planned, and it ended short; all, and a pulse went unheard: "
        "the first, unless the line lost the last",
    }


def count_finding(found: dict[str, Any], now_s: float, last_volume: int) -> PulseFinding:
    """Say both readings of ``by_count``."""
    short, began = found["pulses_short"], found["readings"][0]
    words = (
        f"The sequence fell silent {_pulses(short)} short of its count, with volume {last_volume}. Either its "
        f"first {_were(short)} missed, and the run began {began['offset_tr']:g} TR ({began['offset_s']:g} s) later "
        f"than it believed; or its last {_were(short)} not sent or lost, and it began as believed. Pulses cannot "
        "tell. If the images lack volumes too, it ended short; if they hold all, pulses went unheard, most likely "
        "the first."
    )
    if found["listening_when_due"] and not found.get("pulses_before_arming"):
        words += (
            f" But the trigger had been listened to for {found['heard_before_s']:.1f} s before the first pulse, so "
            "that only the line can have lost one, the first as well as the last."
        )
    elif found.get("pulses_before_arming"):
        words += " Pulses came before the trigger was armed: most likely the sequence began then."
    elif found["listening_when_due"] is not None:
        words += " The trigger was armed so late that the first pulse may well have come before."
    return PulseFinding("first_missed", now_s, words, count=short, volume=0, detail=found)


def count_taken_back(pulse: int, time_s: float) -> PulseFinding:
    """The sequence had not fallen silent: a pulse came after what was taken for its last."""
    words = (
        "A pulse came after the one that was taken for the sequence's last: what was concluded from that one, of "
        "first or last pulses, is void."
    )
    return PulseFinding("first_missed", time_s, words, count=0, pulse=pulse, volume=0)


def by_pattern(short: int, grid: Grid, first_pulse_s: float | None) -> dict[str, Any]:
    """Return what the pattern of a sparse volume's slices tells for sure: its first slices were missed."""
    offset_tr = grid.position(short)
    offset_s = offset_tr * grid.tr_s
    start_s = (
        None if first_pulse_s is None else first_pulse_s - offset_s + grid.position(grid.start) * grid.tr_s
    )
    reading = {"reading": "first_missed", "offset_tr": offset_tr, "offset_s": offset_s, "start_s": start_s}
    return {"by": "pattern", "sure": True, "pulses_short": short, "readings": [reading]}


def by_number(mark: str, numbered_from: int, grid: Grid, time_s: float) -> dict[str, Any] | None:
    """Return what the number in the first pulse's mark tells for sure; None if it is the first, or tells nothing."""
    short = passed(mark, numbered_from)
    if short is None or not 0 < short < grid.total:
        return None
    offset_tr = grid.position(short)
    offset_s = offset_tr * grid.tr_s
    reading = {
        "reading": "first_missed",
        "offset_tr": offset_tr,
        "offset_s": offset_s,
        "start_s": time_s + (grid.position(grid.start) - offset_tr) * grid.tr_s,
    }
    return {"by": "number", "sure": True, "pulses_short": short, "mark": mark, "readings": [reading]}


def number_doubt(mark: str, numbered_from: int, grid: Grid) -> str:
    """Say why the number in the first pulse's mark tells nothing of pulses before it; empty if it does tell."""
    short = passed(mark, numbered_from)
    if short is not None and 0 <= short < grid.total:
        return ""
    last = numbered_from + grid.total - 1
    found = (
        "has no number" if short is None else f"is not from {numbered_from} to {last}, as a sequence's are"
    )
    why = "" if short is None or short < 0 else " (a gateway that counts on from an earlier sequence?)"
    return (
        f"Its marker '{mark}' {found}{why}: whether pulses before it were missed can't be told by it, and it is "
        "taken for the first."
    )


def number_finding(found: dict[str, Any], pulse: int, time_s: float, volume: int) -> PulseFinding:
    """Say what ``by_number`` found."""
    short, offset_s = found["pulses_short"], found["readings"][0]["offset_s"]
    words = (
        f"The sequence's first {_were(short)} missed, as the first one heard is marked '{found['mark']}': the "
        f"sequence began {offset_s:.3f} s before it. Volumes and the run's start are counted from there."
    )
    return PulseFinding("first_missed", time_s, words, count=short, pulse=pulse, volume=volume, detail=found)


def number_taken_back(pulse: int, time_s: float) -> PulseFinding:
    """The first pulse's number was not the sequence's: a pulse came that bears the number of its first."""
    words = "The sequence's first pulse was not missed: the pulse with its number has come now."
    return PulseFinding("first_missed", time_s, words, count=0, pulse=pulse, volume=0)


def number_of_crowd(pulse: int, time_s: float) -> PulseFinding:
    """Take back what a number told, as it may count the slices."""
    words = (
        "What the first marker's number told of pulses before it is taken back: the pulses are more than the "
        "protocol's, so that their numbers don't count volumes. The start that was reckoned by it is kept, and is in doubt."
    )
    return PulseFinding("first_missed", time_s, words, count=0, pulse=pulse)


def pattern_finding(found: dict[str, Any], pulse: int, time_s: float) -> PulseFinding:
    """Say what ``by_pattern`` found."""
    short, reading = found["pulses_short"], found["readings"][0]
    words = (
        f"Of the first volume's slices the first {_were(short)} missed, as its silence came early: the sequence "
        f"began {reading['offset_s']:.3f} s before the first pulse that was heard. What was called missed "
        "since then was not."
    )
    return PulseFinding("first_missed", time_s, words, count=short, pulse=pulse, volume=0, detail=found)


def _pulses(count: int) -> str:
    return "one pulse" if count == 1 else f"{count} pulses"


def _were(count: int) -> str:
    return "pulse was" if count == 1 else f"{count} pulses were"
