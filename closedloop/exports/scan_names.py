"""How the files of scan runs are named: only the attempt that counts has the run's own name."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from itertools import count
from typing import TypeAlias

from closedloop.protocol.scan import ScanProtocol
from closedloop.scan.recorded import RecordedScan

Attempt: TypeAlias = tuple[str, int]
"""An attempt at a run: its label, and how often that was armed before."""


def run_numbers(labels: Iterable[str]) -> dict[str, int]:
    """Return the number of each run in file names, by its label.

    BIDS wants whole numbers. Labels that are some keep them; each of the others has the lowest number from 1 that
    is free. Of labels that are the same number (``1``, ``01``) the one without zeros before it keeps it, or else
    the first.

    Args:
        labels: of all runs, in order; one may come more than once.
    """
    own = list(dict.fromkeys(labels))
    numbers: dict[str, int] = {}
    for label in sorted((label for label in own if label.isdecimal()), key=_padded):
        if int(label) not in numbers.values():
            numbers[label] = int(label)
    free = (number for number in count(1) if number not in numbers.values())
    for label in own:
        if label not in numbers:
            numbers[label] = next(free)
    return numbers


def _padded(label: str) -> bool:
    return label != str(int(label))


def entities(scans: Sequence[RecordedScan], protocol: ScanProtocol) -> dict[int, str]:
    """Return what tells the files of each scan run apart, by its number: ``run-1``, ``acq-aborted1_run-1``.

    Of the attempts at a run the last completed one counts. The others are named by ``acq``: ``aborted`` (or
    failed, cut off, still running) and ``superseded`` (completed, but shown again later), each counted from 1.

    Args:
        scans: of the session.
        protocol: of the session.
    """
    # a label that the protocol does not know, as after a salvage, has a number of its own, for all its attempts
    numbers = run_numbers([*(run.label for run in protocol.runs.planned), *(scan.label for scan in scans)])
    counts = {scan.label: scan.scan for scan in scans if scan.status == "completed"}
    seen: dict[tuple[str, str], int] = {}
    named: dict[int, str] = {}
    for scan in scans:
        run = f"run-{numbers[scan.label]}"
        if counts.get(scan.label) == scan.scan:
            named[scan.scan] = run
            continue
        why = "superseded" if scan.status == "completed" else "aborted"
        seen[scan.label, why] = seen.get((scan.label, why), 0) + 1
        named[scan.scan] = f"acq-{why}{seen[scan.label, why]}_{run}"
    return named
