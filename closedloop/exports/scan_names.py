"""How the files of scan runs are named: only the attempt that counts has the run's own name."""

from __future__ import annotations

from collections.abc import Sequence

from closedloop.protocol.scan import ScanProtocol
from closedloop.scan.recorded import RecordedScan


def run_numbers(protocol: ScanProtocol) -> dict[str, int]:
    """Return the number of each run in file names, by its label.

    BIDS wants whole numbers. Labels that are some keep them; otherwise runs are counted from 1 as the
    protocol lists them.
    """
    labels = [run.label for run in protocol.runs.planned]
    numbers = [int(label) for label in labels if label.isdigit()]
    if len(set(numbers)) == len(labels) and all(numbers):
        return {label: int(label) for label in labels}
    return {label: place for place, label in enumerate(labels, start=1)}


def entities(scans: Sequence[RecordedScan], protocol: ScanProtocol) -> dict[int, str]:
    """Return what tells the files of each scan run apart, by its number: ``run-1``, ``acq-aborted1_run-1``.

    Of the attempts at a run the last completed one counts. The others are named by ``acq``: ``aborted`` (or
    failed, cut off, still running) and ``superseded`` (completed, but shown again later), each counted from 1.

    Args:
        scans: of the session.
        protocol: of the session.
    """
    numbers = run_numbers(protocol)
    # a label that the protocol does not know, as after a salvage, has a number of its own, for all its attempts
    for label in dict.fromkeys(scan.label for scan in scans):
        numbers.setdefault(label, max(numbers.values(), default=0) + 1)
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
