"""Every flip of every trial as a table."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd

from closedloop.exports.columns import joined, rows
from closedloop.session import SessionReader


def frames(reader: SessionReader) -> pd.DataFrame:
    """Return one row a flip of every trial that was shown."""
    table = reader.table("trials")
    periods = _periods_s(reader)
    columns: dict[str, list[Any]] = {name: [] for name in ("trial", "run", "index", "time_s")}
    intervals, on, missed = [], [], []
    for row in rows(table.sort_values(["run", "trial"])):
        flips = reader.flips(row["trial"], row["run"])
        if not len(flips):
            continue
        steps = np.diff(flips, prepend=np.nan)
        columns["trial"].append(np.full(len(flips), row["trial"], dtype=np.int64))
        columns["run"].append(np.full(len(flips), row["run"], dtype=np.int64))
        columns["index"].append(np.arange(len(flips)))
        columns["time_s"].append(flips)
        intervals.append(1000.0 * steps)
        on.append(np.arange(len(flips)) < (0 if pd.isna(row["on_flips"]) else int(row["on_flips"])))
        missed.append(missed_frames(steps, periods.get(row["run"], float("nan"))))
    return pd.DataFrame(
        {
            "trial": joined(columns["trial"], np.int64),
            "run": joined(columns["run"], np.int64),
            "index": joined(columns["index"], np.int64),
            "time_s": joined(columns["time_s"], np.float64),
            "interval_ms": joined(intervals, np.float64),
            "image_on": joined(on, np.bool_),
            "missed": pd.array(joined(missed, np.float64), dtype="Int64"),
        }
    )


def missed_frames(steps_s: np.ndarray[Any, Any], period_s: float) -> np.ndarray[Any, Any]:
    """Return how many frames were missed before each flip, ``round(dt / period) - 1``, at least 0.

    Args:
        steps_s: (n,) intervals between flips; NaN where there is none before.
        period_s: of the display; NaN if it was never measured, and so is the answer.
    """
    with np.errstate(invalid="ignore"):
        missed = np.maximum(np.rint(steps_s / period_s) - 1.0, 0.0)
    if np.isfinite(period_s):
        missed[~np.isfinite(steps_s)] = 0.0  # the first flip of a trial has no interval of its own
    return missed


def _periods_s(reader: SessionReader) -> dict[int, float]:
    displays = reader.details("runs", "display")
    runs = reader.table("runs")["run"]
    return {int(run): float(d.get("period_s", "nan")) for run, d in zip(runs, displays, strict=True)}
