"""One row a generation: how many trials, which responses, which image was best, where time went."""

from __future__ import annotations

import numpy as np
import pandas as pd

from closedloop.exports.columns import thread_names, typed
from closedloop.exports.session_time import zero_of_runs
from closedloop.replay.recorded import runs_of_generations
from closedloop.session import SessionReader


def generations(reader: SessionReader) -> pd.DataFrame:
    """Return one row a generation and thread: trials, mean responses, best image, parts of the dead time."""
    table = (
        reader.table("generations")
        .drop(columns="timing")
        .merge(thread_names(reader), on="thread", how="left")
    )
    zero = zero_of_runs(reader)
    worked = runs_of_generations(reader)
    keys = list(zip(table["thread"].astype(int), table["generation"].astype(int), strict=True))
    # the clock may have begun anew between the run that bred it and the one that scored it
    first, last = ([zero.get(worked.get(key, (0, 0))[end], 0.0) for key in keys] for end in (0, 1))
    table["duration_s"] = (table["ended_s"] - np.array(last)) - (table["started_s"] - np.array(first))
    table = table.merge(_trial_counts(reader), on=["thread", "generation"], how="left")
    counts = ["trials", "valid", "invalid"]
    table[counts] = table[counts].fillna(0).astype("int64")
    for extra in (_means(reader), _best(reader)):
        table = table.merge(extra, on=["thread", "generation"], how="left")
    timing = pd.DataFrame(
        [
            {f"{part}_ms": value for part, value in parts.items()}
            for parts in reader.details("generations", "timing")
        ],
        index=table.index,
    )
    table = pd.concat([table, timing.rename(columns={n: f"dead_{n}" for n in timing.columns})], axis=1)
    leading = ["thread", "thread_name", "generation"]
    return typed(table[leading + [name for name in table.columns if name not in leading]])


def _trial_counts(reader: SessionReader) -> pd.DataFrame:
    table = reader.table("trials")[["thread", "generation", "status"]]
    table["trials"] = 1
    for status in ("valid", "invalid"):
        table[status] = (table["status"] == status).astype("int64")
    return table.drop(columns="status").groupby(["thread", "generation"]).sum().reset_index()


def _means(reader: SessionReader) -> pd.DataFrame:
    """Mean over images of their mean response, evolved and reference apart."""
    scored = reader.table("scores").merge(reader.table("images")[["image", "kind"]], on="image", how="left")
    scored["mean"] = scored["mean"].astype("float64")
    wide: pd.DataFrame | None = None
    for kind in ("evolved", "reference"):
        means = scored[scored["kind"] == kind].groupby(["thread", "generation"])["mean"]
        part = means.agg(["count", "mean", "sem"])
        part.columns = pd.Index([f"{kind}_images", f"{kind}_mean", f"{kind}_sem"])
        wide = part if wide is None else wide.join(part, how="outer")
    assert wide is not None  # noqa: S101 - two kinds were joined; for the type checker
    return wide.reset_index()


def _best(reader: SessionReader) -> pd.DataFrame:
    scored = reader.table("scores").merge(reader.table("images")[["image", "kind"]], on="image", how="left")
    scored["score"] = scored["score"].astype("float64")
    scored = scored[(scored["kind"] == "evolved") & scored["score"].notna()]
    best = scored.sort_values(["score", "image"], ascending=[False, True]).drop_duplicates(
        ["thread", "generation"]
    )
    return best[["thread", "generation", "image", "score"]].rename(
        columns={"image": "best_image", "score": "best_score"}
    )
