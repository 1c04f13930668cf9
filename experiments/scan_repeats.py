"""Completed runs of a scan session that a person wants made again, and what is said of it."""

from __future__ import annotations

import json
import shlex
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from closedloop.errors import SessionError
from closedloop.protocol.sections.scan_runs import Runs
from closedloop.scan.past import ScanPast
from experiments.console import say


def with_repeats(past: ScanPast, wanted: Sequence[str], runs: Runs, folder: Path) -> ScanPast:
    """Add runs to those of a session that are to be made again, and say what becomes of each.

    Args:
        past: the session so far, with what earlier runs of the program were to make again.
        wanted: labels that the person names now; one may come more than once.
        runs: of the session's protocol.
        folder: the session folder, for messages.

    Raises:
        SessionError: the session has no run of a label.
    """
    labels = [run.label for run in runs.planned]
    unknown = [label for label in dict.fromkeys(wanted) if label not in labels]
    if unknown:
        raise SessionError(
            f"{folder}: --repeat",
            found=f"run {', '.join(unknown)}, which the session does not have",
            expected=f"a run of the session: {', '.join(labels)}",
            remedy=f"Name one of these, each by a --repeat of its own. To add runs: {_further(runs)}",
        )
    for label in labels:
        words = _words(label, past, wanted)
        if words:
            say(f"run {label} {words}")
    return replace(past, repeat=(past.repeat | (past.completed & set(wanted))) & set(labels))


def nothing_to_do(runs: Runs) -> str:
    """Say that all runs are done, and by which options one is made again or others are added."""
    labels = [run.label for run in runs.planned]
    again = f"It once more: --repeat {labels[0]}"
    if len(labels) > 1:
        again = f"One of them once more: --repeat LABEL ({', '.join(labels)})"
    return f"nothing to do: all runs were completed. {again}. More of them: {_further(runs)}"


def _words(label: str, past: ScanPast, wanted: Sequence[str]) -> str:
    if label in past.repeat:
        return (
            "was to be made again and has not been since: it still is. Its earlier attempt counts until then"
        )
    if label not in wanted:
        return ""
    if label in past.completed:
        return (
            "is to be made again. Its earlier attempt stays in the file, and counts until that is completed"
        )
    return "is not completed yet: it is made in any case"


def _further(runs: Runs) -> str:
    """Return the setting that adds runs to a session, in the way that its protocol names its runs."""
    if not runs.each:
        return "--set runs.count=NUMBER"
    each = [run.model_dump(mode="json", exclude_defaults=True) for run in runs.each]
    return f"--set {shlex.quote('runs.each=' + json.dumps([*each, {'label': 'NEXT'}]))}"
