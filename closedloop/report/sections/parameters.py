"""Everything that the session was made with: protocol, versions, machine, display."""

from __future__ import annotations

from typing import Any

from closedloop.report.blocks import Block, Listing, Remark, Section, Table
from closedloop.report.material import Material
from closedloop.report.words import NONE, duration

STATUS = {"": "no end recorded: it crashed, or still runs"}


def sections(material: Material) -> list[Section]:
    """Return the sections about versions and parameters."""
    return [
        Section("versions", "Runs and versions", [_runs(material), *_versions(material)]),
        Section("parameters", "Parameters", _parameters(material)),
    ]


def _runs(material: Material) -> Table:
    rows = []
    for row in material.runs.to_dict("records"):
        status = (
            ""
            if row["exit_status"] is None or row["exit_status"] != row["exit_status"]
            else row["exit_status"]
        )
        try:
            length = duration(float(row["ended_s"]) - float(row["started_s"]))
        except TypeError:
            length = NONE
        status = STATUS[""] if not isinstance(status, str) or not status else status
        reason = row["reason"] if isinstance(row["reason"], str) else ""
        rows.append([str(row["run"]), str(row["started_utc"]), length, status, reason])
    return Table(("run", "started (UTC)", "length", "ended", "because"), rows)


def _versions(material: Material) -> list[Block]:
    blocks: list[Block] = []
    for title, records in (("Program and machine", material.environments), ("Display", material.displays)):
        pairs = [flat(record) for record in records]
        if not any(pairs):
            blocks.append(Remark(f"{title}: nothing was recorded."))
            continue
        keys = list(dict.fromkeys(key for record in pairs for key in record))
        rows = []
        for key in keys:
            values = list(dict.fromkeys(record.get(key, NONE) for record in pairs))
            rows.append([key, " → ".join(values)])
        blocks.append(Table((title, ""), rows))
    for thread in material.threads:
        rows = [[key, value] for key, value in flat(thread.generator).items()]
        if rows:
            blocks.append(Table((f"Generator of {thread.name}", ""), rows))
    return blocks


def _parameters(material: Material) -> list[Block]:
    text = material.meta.get("protocol", "")
    blocks: list[Block] = []
    others = {key: value for key, value in material.meta.items() if key != "protocol" and len(value) < 500}
    if others:
        blocks.append(Table(("Session", ""), [[key, value] for key, value in others.items()]))
    for thread in material.threads:
        optimizer = flat(
            {"optimizer": thread.spec.get("optimizer", {}), "units": thread.spec.get("units", {})}
        )
        if optimizer:
            blocks.append(
                Table((f"Thread {thread.name}", ""), [[key, value] for key, value in optimizer.items()])
            )
    if text:
        blocks.append(Listing("Protocol as used", text.strip()))
    else:
        blocks.append(Remark("The session file holds no protocol.", "warning"))
    return blocks


def flat(tree: Any, prefix: str = "") -> dict[str, str]:
    """Return a tree of dictionaries as dotted keys and texts."""
    if isinstance(tree, dict):
        found: dict[str, str] = {}
        for key, value in tree.items():
            found.update(flat(value, f"{prefix}.{key}" if prefix else str(key)))
        return found
    if isinstance(tree, list):
        return {prefix: ", ".join(str(item) for item in tree)} if tree else {}
    return {prefix: NONE if tree is None or tree == "" else str(tree)}
