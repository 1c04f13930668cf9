"""Everything that the session was made with: protocol, versions, machine, display."""

from __future__ import annotations

from typing import Any

from closedloop.exports.columns import rows as records
from closedloop.replay.amended import amended_runs
from closedloop.report.blocks import Block, Listing, Remark, Section, Table
from closedloop.report.material import Material
from closedloop.report.words import NONE, count, duration, utc


def sections(material: Material) -> list[Section]:
    """Return the sections about versions and parameters."""
    return [
        Section("versions", "Runs and versions", [_runs(material), *_versions(material)]),
        Section("parameters", "Parameters", _parameters(material)),
    ]


def _runs(material: Material) -> Table:
    rows = []
    for row in records(material.runs):
        unfinished = (
            "crashed"
            if row["run"] < material.runs["run"].max()
            else "no end recorded: crashed, or still running"
        )
        status, reason = row["exit_status"], row["reason"]
        rows.append(
            [
                str(row["run"]),
                utc(row["started_utc"]),
                duration(row["ended_s"] - row["started_s"]),
                status if isinstance(status, str) else unfinished,
                reason if isinstance(reason, str) else "",
            ]
        )
    return Table(("run", "started (UTC)", "length", "ended", "because"), rows)


def _versions(material: Material) -> list[Block]:
    blocks: list[Block] = []
    for title, trees in (("Program and machine", material.environments), ("Display", material.displays)):
        told = [flat(_lifted(tree)) for tree in trees]
        if not any(told):
            blocks.append(Remark(f"{title}: nothing was recorded."))
            continue
        keys = list(dict.fromkeys(key for one in told for key in one))
        # runs of one session mostly agree; where they do not, each value is shown
        values = [list(dict.fromkeys(one.get(key, NONE) for one in told)) for key in keys]
        blocks.append(Table((title, ""), [[key, " → ".join(v)] for key, v in zip(keys, values, strict=True)]))
    for thread in material.threads:
        blocks += _pairs(f"Generator of {thread.name}", thread.generator)
    return blocks


def _parameters(material: Material) -> list[Block]:
    text = material.meta.get("protocol", "")
    others = {
        key: value
        for key, value in material.meta.items()
        if not key.startswith("protocol") or key == "protocol_sha256"
    }
    blocks = _pairs("Session", others)
    for thread in material.threads:
        told: dict[str, Any] = {
            key: thread.spec[key]
            for key in ("optimizer", "units", "position_deg", "size_deg")
            if key in thread.spec
        }
        blocks += _pairs(f"Thread {thread.name}", told)
    if text:
        blocks.append(Listing("Protocol as used", text.strip()))
    else:
        blocks.append(Remark("The session file holds no protocol.", "warning"))
    return blocks + _amended(material)


def _amended(material: Material) -> list[Block]:
    """Tell what later runs changed of the protocol, and give each as it held from then on."""
    amended = amended_runs(material.reader)
    if not amended:
        return []
    changes = [[str(one.run), *change] for one in amended for change in one.changes]
    blocks: list[Block] = [
        Remark(
            f"The protocol above is that of the session's beginning. {count(len(amended), 'run')} went on with"
            " changes, each of which holds from its run on."
        )
    ]
    if changes:
        blocks.append(Table(("from run", "parameter", "was", "is"), changes))
    blocks += [Listing(f"Protocol from run {one.run} on", one.text.strip()) for one in amended if one.text]
    return blocks


def _lifted(tree: dict[str, Any]) -> dict[str, Any]:
    """Return a tree whose branch ``details`` stands level with the rest."""
    details: dict[str, Any] = tree.get("details", {})
    return {**{key: value for key, value in tree.items() if key != "details"}, **details}


def _pairs(title: str, tree: dict[str, Any]) -> list[Block]:
    pairs = [[key, value] for key, value in flat(tree).items()]
    return [Table((title, ""), pairs)] if pairs else []


def flat(tree: Any, prefix: str = "") -> dict[str, str]:
    """Return a tree of dictionaries as pairs of texts; a branch of many short values becomes one pair."""
    if isinstance(tree, dict):
        if prefix and len(tree) > 2 and all(_short(value) for value in tree.values()):
            return {prefix: ", ".join(f"{_name(key)} {_plain(value)}" for key, value in tree.items())}
        found: dict[str, str] = {}
        for key, value in tree.items():
            found.update(flat(value, f"{prefix}, {_name(key)}" if prefix else _name(key)))
        return found
    return {prefix: _plain(tree)}


def _short(value: Any) -> bool:
    return not isinstance(value, (dict, list)) and len(str(value)) < 40


def _name(key: Any) -> str:
    return str(key).replace("_", " ")


def _plain(value: Any) -> str:
    if value is None or value in ("", [], {}):
        return NONE
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, list):
        return ", ".join(_plain(item) for item in value)
    return f"{value:.6g}" if isinstance(value, float) else str(value)
