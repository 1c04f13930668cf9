"""The session as flat tables, one record a row, for pandas, R or a spreadsheet.

docs/session-file.md lists the columns. All times are LSL ``local_clock`` seconds.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pandas as pd

from closedloop.exports.columns import joined, rows, thread_names, typed
from closedloop.exports.frames import frames
from closedloop.exports.generations import generations
from closedloop.session import SessionReader


def trials(reader: SessionReader) -> pd.DataFrame:
    """Return one row a trial, with what was shown, how it went, and its response."""
    table = reader.table("trials")
    images = reader.table("images")[["image", "kind", "row"]]
    images = images.rename(columns={"kind": "image_kind", "row": "image_row"})
    table = table.merge(thread_names(reader), on="thread", how="left").merge(images, on="image", how="left")
    responses = reader.table("responses")[["trial", "run", "value"]]
    table = table.merge(responses, on=["trial", "run"], how="left")
    table["valid"] = table["status"] == "valid"
    first = ["trial", "run", "thread", "thread_name", "generation", "image", "image_kind", "image_row"]
    ordered = table[first + [name for name in table.columns if name not in first]]
    return typed(ordered.sort_values(["run", "trial"], ignore_index=True))


def responses(reader: SessionReader) -> pd.DataFrame:
    """Return one row a valid trial and unit: its rate in the response and in the baseline window."""
    shown = trials(reader)
    parts = []
    for row in rows(shown[shown["valid"]]):
        rates = reader.rates(row["trial"], row["run"])
        baseline = reader.baseline(row["trial"], row["run"])
        parts.append((row, rates, np.full(len(rates), np.nan) if baseline is None else baseline))
    sizes = [len(rates) for _, rates, _ in parts]
    columns: dict[str, Any] = {
        name: np.repeat(np.array([row[name] for row, _, _ in parts], dtype=np.int64), sizes)
        for name in ("trial", "run", "thread", "generation", "image")
    }
    columns["unit"] = joined([np.arange(size) for size in sizes], np.int64)
    columns["rate_hz"] = joined([rates for _, rates, _ in parts], np.float64)
    columns["baseline_hz"] = joined([baseline for _, _, baseline in parts], np.float64)
    return pd.DataFrame(columns)


def markers(reader: SessionReader) -> pd.DataFrame:
    """Return one row a marker that was sent over LSL."""
    table = reader.table("markers")
    payloads = reader.details("markers", "payload")
    for name in ("event", "thread"):
        table[name] = pd.array([_text(payload.get(name)) for payload in payloads], dtype="string")
    for name in ("trial", "generation", "image"):
        table[name] = pd.array([payload.get(name) for payload in payloads], dtype="Int64")
    return table[["marker", "run", "time_s", "event", "trial", "generation", "image", "thread", "payload"]]


TABLES: dict[str, Callable[[SessionReader], pd.DataFrame]] = {
    "trials": trials,
    "frames": frames,
    "generations": generations,
    "responses": responses,
    "markers": markers,
}


def _text(value: Any) -> str | None:
    return None if value is None else str(value)
