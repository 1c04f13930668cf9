"""What the runs of a scan session were to show, and whether that is drawn the same now."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from typing import Any

import pandas as pd

from closedloop.loop.history import RESUMED
from closedloop.protocol.scan import ScanProtocol
from closedloop.scan.images import ScanImages
from closedloop.scan.recorded import scan_protocol_of
from closedloop.scan.records import RunPlan
from closedloop.session import SessionReader
from experiments.differences import Difference, Weight, protocol_differences
from experiments.scan_session import ScanWork

Rows = list[tuple[Any, ...]]
"""Rows of ``planned``, without what became of them."""


@dataclass(frozen=True, eq=False)
class PlannedRun:
    """What a run was to show when it was last armed.

    Attributes:
        rows: its plan.
        protocol: that it was drawn by.
        accepted: differences, in words, that a person has accepted since.
    """

    rows: Rows
    protocol: ScanProtocol
    accepted: frozenset[str]


def planned_runs(reader: SessionReader) -> dict[str, PlannedRun]:
    """Return what each run that was armed was to show in its last attempt, by label.

    Raises:
        SessionSchemaError: a protocol that a run was made by can't be read by this version.
    """
    scans, planned = reader.table("scans"), reader.table("planned")
    planned["fields"] = pd.Series(reader.details("planned", "fields"), dtype=object, index=planned.index)
    columns = ["onset_s", "duration_s", "kind", "trial_type", "image", "fields"]
    accepted = _accepted(reader)
    plans: dict[str, PlannedRun] = {}
    for scan, run, label in scans[["scan", "run", "label"]].itertuples(index=False):
        own = planned[planned["scan"] == scan].sort_values("event")
        rows = own[columns].astype(object).where(own[columns].notna(), None)
        plans[str(label)] = PlannedRun(
            [tuple(row) for row in rows.to_numpy().tolist()],
            scan_protocol_of(reader, int(run)),
            frozenset(words for since, words in accepted if since > run),
        )
    return plans


def plan_differences(
    was: Mapping[str, PlannedRun], work: ScanWork, protocol: ScanProtocol, done: Collection[str]
) -> list[Difference]:
    """Compare plans as they are drawn now with those of earlier attempts.

    A plan that this version of the program draws otherwise of the same protocol is another experiment. Drawn by
    another protocol it must be another one: that change was accepted, and is only worth a word where the run is made
    once more.

    Args:
        was: as recorded, by label.
        work: as drawn now.
        protocol: that it is drawn by.
        done: labels of runs that are not to be made any more.
    """
    numbers = ScanImages(work.stimuli, work.plans).numbers
    found = []
    for plan in work.plans:
        earlier = was.get(plan.label)
        if earlier is None or earlier.rows == _rows(plan, numbers):
            continue
        if any(one.weight is not Weight.NOTE for one in protocol_differences(earlier.protocol, protocol)):
            if plan.label not in done:
                by_change = "as the protocol has it since a change that was accepted"
                found.append(Difference(f"plan of run {plan.label}", "another one", by_change, Weight.NOTE))
            continue
        otherwise = Difference(
            f"run {plan.label}", "as planned", "drawn otherwise by this version", Weight.CHANGE
        )
        if str(otherwise) not in earlier.accepted:
            found.append(otherwise)
    return found


def _accepted(reader: SessionReader) -> list[tuple[int, str]]:
    """Return what a person has accepted: the run of the program that began with it, and in words."""
    events = reader.table("events")
    told = zip(events["kind"], events["run"], reader.details("events", "detail"), strict=True)
    return [
        (int(run), str(words))
        for kind, run, detail in told
        if kind == RESUMED and detail.get("accepted")
        for words in detail.get("changes", ())
    ]


def _rows(plan: RunPlan, numbers: Mapping[str, int]) -> Rows:
    return [
        (
            event.onset_s,
            event.duration_s,
            event.kind,
            event.trial_type,
            None if event.stimulus is None else numbers[event.stimulus],
            dict(event.fields),
        )
        for event in plan.events
    ]
