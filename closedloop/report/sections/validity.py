"""Which trials count, and why others do not."""

from __future__ import annotations

import numpy as np
import pandas as pd

from closedloop.report.blocks import Block, Figure, Remark, Section, Table, Text
from closedloop.report.figures import style
from closedloop.report.figures.bars import draw_bars
from closedloop.report.material import Material
from closedloop.report.words import NONE, count, listed, share

OPEN = {
    "ordered": "ordered, but not known to have been shown",
    "shown": "shown, but not judged before the session ended",
    "interrupted": "not judged before the program ended",
}


def section(material: Material) -> Section:
    """Return the section with the reasons and their course."""
    trials = material.trials
    title = "Valid and invalid trials"
    if trials.empty:
        return Section("trials", title, [Remark("No trial was shown.")])
    valid, invalid = int(trials["valid"].sum()), trials[trials["status"] == "invalid"]
    judged = valid + len(invalid)
    text = f"{count(judged, 'trial')} judged: {valid:,} valid and {len(invalid):,} invalid ({share(len(invalid), judged)})."
    blocks: list[Block] = [
        Text(text[0].upper() + text[1:] + " An invalid trial is shown again, within the protocol's limits.")
    ]
    blocks += _by_reason(trials, invalid)
    if len(invalid):
        blocks.append(_figure(trials, invalid))
    blocks += _empty_generations(trials)
    return Section("trials", title, blocks)


def _by_reason(trials: pd.DataFrame, invalid: pd.DataFrame) -> list[Block]:
    rows = []
    for reason, group in sorted(
        invalid.groupby(invalid["reason"].fillna("not said")), key=lambda item: -len(item[1])
    ):
        details = group["detail"].dropna()
        rows.append(
            [
                str(reason),
                f"{len(group):,}",
                share(len(group), len(trials)),
                str(details.iloc[0]) if len(details) else NONE,
            ]
        )
    for status, words in OPEN.items():
        n = int((trials["status"] == status).sum())
        if n:
            rows.append([status, f"{n:,}", share(n, len(trials)), words])
    if not rows:
        return []
    return [Table(("reason", "trials", "share of all", "for example"), rows, numeric=(1, 2))]


def _figure(trials: pd.DataFrame, invalid: pd.DataFrame) -> Figure:
    generations = int(trials["generation"].max()) + 1
    parts = {}
    for reason, group in invalid.groupby(invalid["reason"].fillna("not said")):
        parts[str(reason)] = np.bincount(group["generation"].to_numpy(int), minlength=generations).astype(
            float
        )
    drawing = draw_bars(
        parts, "invalid trials", whole=True, colors=(style.BAD, "#e39b6d", "#6b4fa0", "#7b8794", "#8a6d0b")
    )
    alt = "; ".join(f"{reason}: {int(heights.sum())}" for reason, heights in parts.items())
    return Figure(
        drawing,
        f"Invalid trials by reason: {alt}",
        f"Invalid trials of each generation, all threads together (n = {len(invalid):,}).",
    )


def _empty_generations(trials: pd.DataFrame) -> list[Block]:
    valid = trials.groupby("generation")["valid"].any()
    empty = [str(g) for g in valid[~valid].index]
    if not empty:
        return []
    word = "generation" if len(empty) == 1 else "generations"
    return [Remark(f"No valid trial in {word} {listed(empty)}.", "warning")]
