"""What happened besides: notes, keys, pauses, warnings."""

from __future__ import annotations

import json
from typing import Any

from closedloop.report.blocks import Block, Quote, Remark, Section, Table, Text
from closedloop.report.material import Material
from closedloop.report.words import moment

TITLE = "Notes and events"
MOST_ROWS = 300


def section(material: Material, *, without: tuple[str, ...] = ()) -> Section:
    """Return the section with what the person at the rig wrote first, then everything else.

    Args:
        material: of the page.
        without: kinds of event that are told elsewhere.
    """
    events = material.reader.table("events").sort_values(["run", "time_s"])
    events = events[~events["kind"].isin(without)]
    blocks: list[Block] = []
    rows = []
    columns = (events[name] for name in ("kind", "run", "time_s", "detail"))
    for kind, run, time_s, detail in zip(*columns, strict=True):
        known = _decoded(str(detail))
        when = f"{moment(material.from_start_s(float(time_s), int(run)))} min"
        if kind == "note":
            text = next((str(known[key]) for key in ("text", "note") if known.get(key)), _words(known))
            blocks.append(Quote(text, when))
        else:
            rows.append([when, str(kind), _words(known)])
    if material.notes:
        blocks.insert(0, Quote(material.notes, "in the protocol"))
    if rows:
        blocks.append(Table(("time", "event", "detail"), rows[:MOST_ROWS], numeric=(0,)))
    if len(rows) > MOST_ROWS:
        blocks.append(Text(f"{len(rows) - MOST_ROWS:,} more are in the session file, table events."))
    if not blocks:
        blocks.append(Remark("No note was written, no key was pressed, and no warning was given."))
    return Section("log", TITLE, blocks)


def _decoded(text: str) -> dict[str, Any]:
    value = json.loads(text)
    return value if isinstance(value, dict) else {"": value}


def _words(known: dict[str, Any]) -> str:
    """Return details as words; a name that says nothing is left out."""
    plain = {key: str(value) for key, value in known.items() if value not in (None, "")}
    return ", ".join(
        value if key in ("text", "reason", "note", "message", "") else f"{key.replace('_', ' ')} {value}"
        for key, value in plain.items()
    )
