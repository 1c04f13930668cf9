"""Makes a whole of what was found of scan runs: plans, pulses and presses belong to a run that was armed."""

from __future__ import annotations

import json
from typing import Any

from closedloop.session.salvage.work import Rows, dicts, drop_orphans, listed, put

_OF_A_SCAN = ("planned", "pulses", "presses")


def mend_scans(tables: Rows, protocol: dict[str, Any]) -> list[str]:
    """Drop rows whose program run or image is lost, put stand-ins for lost scan runs, and say what is missing.

    Args:
        tables: what was found.
        protocol: of the session; empty if it is lost.
    """
    runs, images = set(tables["runs"].column("run")), set(tables["images"].column("image"))
    missing = []
    for name in ("scans", "pulses", "presses"):
        missing += drop_orphans(tables[name], lambda row: row["run"] not in runs, "run")
    missing += drop_orphans(
        tables["planned"], lambda row: row["image"] is not None and row["image"] not in images, "image"
    )
    known = set(tables["scans"].column("scan"))
    counts: dict[int, int] = {}
    for name in _OF_A_SCAN:
        for row in dicts(tables[name]):
            counts[row["scan"]] = counts.get(row["scan"], 0) + 1
    # one row more or less: a wrong number in a damaged row does not make a scan run
    for scan in sorted(scan for scan, n in counts.items() if scan not in known and n > 1):
        if _stand_in(tables, scan, protocol):
            known.add(scan)
            missing.append(f"the record of scan run {scan} (a stand-in has what its plan and pulses tell)")
    for name in _OF_A_SCAN:
        missing += drop_orphans(tables[name], lambda row: row["scan"] not in known, "scan run")
    return missing


def shown_by_scans(tables: Rows) -> set[int]:
    """Return the trials that scan runs showed: valid ones of them have no response in this file."""
    kind = tables["meta"].rows.get(("kind",))
    if kind is not None and kind[1] == "scan":
        return {row["trial"] for row in dicts(tables["trials"])}
    return {row["trial"] for row in dicts(tables["planned"]) if row["trial"] is not None}


def name_missing(tables: Rows) -> list[str]:
    """Say which numbers are missing among the pulses, presses and planned events of each scan run."""
    missing = []
    for table, key, what in (
        ("planned", "event", "planned event"),
        ("pulses", "pulse", "pulse"),
        ("presses", "press", "press"),
    ):
        numbers: dict[int, set[int]] = {}
        for row in dicts(tables[table]):
            numbers.setdefault(row["scan"], set()).add(row[key])
        for scan, own in sorted(numbers.items()):
            gone = sorted(set(range(max(own) + 1)) - own)
            if gone:
                missing.append(f"{listed(what, gone)} of scan run {scan}")
    return missing + _lost_wholly(tables)


def _lost_wholly(tables: Rows) -> list[str]:
    """Say what is missing at the end, where numbers have no gap: a run's sum of pulses, its trials' plan."""
    missing = []
    known = {row["scan"] for row in dicts(tables["planned"])}
    highest: dict[int, int] = {}
    for row in dicts(tables["pulses"]):
        highest[row["scan"]] = max(highest.get(row["scan"], -1), row["pulse"])
    for row in dicts(tables["scans"]):
        scan = row["scan"]
        counted = json.loads(row["ledger"]).get("pulses", {}) if row["ledger"] else {}
        short = sum(counted.values()) - 1 - highest.get(scan, -1)
        if short > 0:
            missing.append(f"the last {short} pulses of scan run {scan}")
        trials = [trial for trial in dicts(tables["trials"]) if trial["generation"] == scan]
        if scan not in known and trials:
            missing.append(f"the plan of scan run {scan}")
    return missing


def _stand_in(tables: Rows, scan: int, protocol: dict[str, Any]) -> bool:
    """Put a scan run that its plan and its pulses tell of; False if they tell too little."""
    events = [row for row in dicts(tables["planned"]) if row["scan"] == scan]
    pulses = sorted(
        (row for row in dicts(tables["pulses"]) if row["scan"] == scan), key=lambda row: int(row["pulse"])
    )
    trials = {row["trial"]: row for row in dicts(tables["trials"]) if row["generation"] == scan}
    shown = [trials[row["trial"]] for row in events if row["trial"] in trials]
    runs = [row["run"] for row in (*pulses, *shown)]
    if not runs:
        return False
    scanner = protocol.get("scanner", {})
    dummies = int(scanner.get("dummies", 0))
    first = next((row["time_s"] for row in pulses if row["volume"] == 0), None)
    start = next((row["time_s"] for row in pulses if row["volume"] == dummies), None)
    began = [row["time_s"] for row in pulses] + [row["ordered_s"] for row in shown]
    put(
        tables["scans"],
        scan=scan,
        run=min(runs),
        label=f"lost{scan}",
        attempt=0,
        volumes=int(scanner.get("volumes", 0)),
        duration_s=float(max((row["onset_s"] + row["duration_s"] for row in events), default=0.0)),
        drawn="{}",
        trigger="{}",
        armed_s=float(min(began)),
        first_pulse_s=first,
        start_s=start,
        reason="the record of this scan run was lost and replaced in a salvage",
    )
    return True
