"""Whether each run was to show what its design gives when it is drawn again."""

from __future__ import annotations

from collections.abc import Sequence

from closedloop.replay.scan_verification.findings import ScanCheck, ScanDifference, ScanVerification
from closedloop.scan.recorded import RecordedScan, planned_event
from closedloop.scan.records import PlannedEvent, RunPlan

_FIELDS = ("onset_s", "duration_s", "kind", "trial_type", "stimulus", "fields")


def check_plan(scan: RecordedScan, plans: Sequence[RunPlan], found: ScanVerification) -> None:
    """Compare the plan of a run with the one that is drawn now.

    Args:
        scan: as recorded.
        plans: of all runs, drawn anew.
        found: takes what is found.
    """

    def differ(what: str, detail: str, event: int | None = None) -> None:
        found.differences.append(ScanDifference(ScanCheck.PLANS, what, detail, scan.scan, scan.name, event))

    plan = next((plan for plan in plans if plan.label == scan.label), None)
    if plan is None:
        differ("run", f"the protocol has no run '{scan.label}'")
        return
    if (scan.volumes, scan.duration_s) != (plan.volumes, plan.duration_s):
        differ(
            "length",
            f"recorded {scan.volumes} volumes, {scan.duration_s:g} s;"
            f" the protocol gives {plan.volumes}, {plan.duration_s:g} s",
        )
    recorded = _events(scan)
    found.count(ScanCheck.PLANS, len(recorded))
    for number, (was, now) in enumerate(zip(recorded, plan.events, strict=False)):
        unlike = [name for name in _FIELDS if _value(was, name) != _value(now, name)]
        if unlike:
            name = unlike[0]
            detail = f"recorded {_value(was, name)!r}; the design gives {_value(now, name)!r}"
            differ(name.removesuffix("_s"), detail, number)
    if len(recorded) != len(plan.events):
        differ("events", f"{len(recorded)} are recorded; the design gives {len(plan.events)}")


def _events(scan: RecordedScan) -> list[PlannedEvent]:
    rows = scan.events.to_dict("records")
    return [
        planned_event({str(key): value for key, value in row.items()}, _name(row["source"])) for row in rows
    ]


def _name(source: object) -> str | None:
    return source if isinstance(source, str) else None


def _value(event: PlannedEvent, name: str) -> object:
    value = getattr(event, name)
    # as JSON has it in the file
    return {str(key): one for key, one in value.items()} if name == "fields" else value
