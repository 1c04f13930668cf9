"""What the tables have in common: types of columns, names of threads, rows as dictionaries."""

from __future__ import annotations

from typing import Any, cast

import numpy as np
import pandas as pd

from closedloop.session import SessionReader

_TYPES = {
    "Int64": ("on_flips", "missed", "best_image", "evolved_images", "reference_images", "image_row"),
    "Float64": ("onset_s", "offset_s", "judged_s", "ended_s", "duration_s", "value", "best_score"),
    "string": ("reason", "detail", "status", "thread_name", "image_kind"),
}


def typed(table: pd.DataFrame) -> pd.DataFrame:
    """Give columns the same type whatever is missing, so that tables of many sessions can be joined."""
    kinds = {name: kind for kind, names in _TYPES.items() for name in names if name in table.columns}
    floats = {n: "Float64" for n in table.columns if str(n).endswith(("_mean", "_sem", "_ms"))}
    return table.astype({**kinds, **floats})


def rows(table: pd.DataFrame) -> list[dict[str, Any]]:
    """Return the rows of a table as dictionaries of plain values."""
    return cast("list[dict[str, Any]]", table.to_dict("records"))


def thread_names(reader: SessionReader) -> pd.DataFrame:
    """Return the number and name of each thread."""
    return reader.table("threads")[["thread", "name"]].rename(columns={"name": "thread_name"})


def joined(parts: list[Any], dtype: Any) -> np.ndarray[Any, Any]:
    """Put arrays end to end; an empty one of the type if there are none."""
    return np.concatenate(parts).astype(dtype) if parts else np.empty(0, dtype=dtype)
