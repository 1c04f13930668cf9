"""Completed runs of a scan session that a person wants made again, or no more, and what is said of it."""

from __future__ import annotations

import json
import shlex
from collections.abc import Collection, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from closedloop.errors import SessionError
from closedloop.protocol.sections.scan_runs import Runs
from closedloop.scan.past import ScanPast
from experiments.console import say

_GONE = "was to be made again and is not to be any more: the protocol has no such run now"


@dataclass(frozen=True)
class Wishes:
    """What a person says of completed runs. A label may be named more than once.

    Attributes:
        repeat: labels of those that are to be made again.
        no_repeat: labels of those that were to be, and are not any more.
    """

    repeat: Sequence[str] = ()
    no_repeat: Sequence[str] = ()


def with_repeats(past: ScanPast, wishes: Wishes, runs: Runs, folder: Path) -> ScanPast:
    """Put a person's wishes to those of earlier runs of the program, and say what becomes of each.

    Args:
        past: the session so far, with what earlier runs of the program were to make again.
        wishes: of the person now.
        runs: of the session's protocol.
        folder: the session folder, for messages.

    Raises:
        SessionError: the session has no run of a label, or none to take back, or a wish is for and against one.
    """
    labels = [run.label for run in runs.planned]
    _require_sense(past, wishes, labels, runs, folder)
    gone = past.repeat - set(labels)
    for label in [*labels, *past.in_order(gone)]:
        words = _GONE if label in gone else _words(label, past, wishes)
        if words:
            say(f"run {label} {words}")
    taken_back = gone | (past.repeat & set(wishes.no_repeat))
    wanted = past.repeat | (past.completed & set(wishes.repeat))
    return replace(past, repeat=wanted - taken_back, taken_back=taken_back, order=labels)


def nothing_to_do(runs: Runs) -> str:
    """Say that all runs are done, and by which options one is made again or others are added."""
    labels = [run.label for run in runs.planned]
    again = f"It once more: --repeat {labels[0]}"
    if len(labels) > 1:
        again = f"One of them once more: --repeat LABEL ({', '.join(labels)})"
    return f"nothing to do: all runs were completed. {again}. More of them: {_further(runs)}"


def _require_sense(past: ScanPast, wishes: Wishes, labels: Sequence[str], runs: Runs, folder: Path) -> None:
    unknown = _not_in(labels, wishes.repeat)
    if unknown:
        raise SessionError(
            f"{folder}: --repeat",
            found=f"run {', '.join(unknown)}, which the session does not have",
            expected=f"a run of the session: {', '.join(labels)}",
            remedy=f"Name one of these, each by a --repeat of its own. To add runs: {_further(runs)}",
        )
    unwanted = _not_in(past.repeat, wishes.no_repeat)
    if unwanted:
        raise SessionError(
            f"{folder}: --no-repeat",
            found=f"run {', '.join(unwanted)}, which is not to be made again",
            expected=f"a run that is: {', '.join(past.in_order(past.repeat)) or 'there is none'}",
            remedy="It takes back a --repeat that was not fulfilled. A run that was never completed is made in any case.",
        )
    both = [label for label in dict.fromkeys(wishes.repeat) if label in wishes.no_repeat]
    if both:
        raise SessionError(
            f"{folder}: --no-repeat",
            found=f"run {', '.join(both)}, which --repeat names, too",
            expected="a run to be made again, or not",
            remedy="Give one of the two.",
        )


def _not_in(known: Collection[str], named: Sequence[str]) -> list[str]:
    return [label for label in dict.fromkeys(named) if label not in known]


def _words(label: str, past: ScanPast, wishes: Wishes) -> str:
    if label in wishes.no_repeat:
        return "was to be made again and is not to be any more: its earlier attempt counts"
    if label in past.repeat:
        return (
            "was to be made again and has not been since: it still is. Its earlier attempt counts until then"
            f" (to leave it at that: --no-repeat {shlex.quote(label)})"
        )
    if label not in wishes.repeat:
        return ""
    if label in past.completed:
        return (
            f"{_already(label, past)}is to be made again. Its earlier attempt stays in the file, and counts until that"
            " is completed"
        )
    return "is not completed yet: it is made in any case"


def _already(label: str, past: ScanPast) -> str:
    """Say that there is a repeat already: a command out of the shell's history asks for one more."""
    armed = past.made_again.get(label)
    return "" if armed is None else f"was made again already, at {armed:%H:%M} UTC on {armed:%Y-%m-%d}, and "


def _further(runs: Runs) -> str:
    """Return the setting that adds runs to a session, in the way that its protocol names its runs."""
    if not runs.each:
        return "--set runs.count=NUMBER"
    each = [run.model_dump(mode="json", exclude_defaults=True) for run in runs.each]
    return f"--set {shlex.quote('runs.each=' + json.dumps([*each, {'label': 'NEXT'}]))}"
