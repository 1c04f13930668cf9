"""The time between two generations in which nothing was shown, by its parts."""

from __future__ import annotations

import numpy as np

from closedloop.report.blocks import Block, Figure, Remark, Section, Table, Text
from closedloop.report.figures.bars import draw_bars
from closedloop.report.material import Material

TITLE = "Dead time between generations"
PREFIX, SUFFIX = "dead_", "_ms"


def section(material: Material) -> Section:
    """Return the section with the bars and medians."""
    table = material.generations
    columns = [
        c for c in table.columns if c.startswith(PREFIX) and c.endswith(SUFFIX) and table[c].notna().any()
    ]
    if not columns:
        return Section(
            "deadtime", TITLE, [Remark("There was no change of generation, so there is no dead time.")]
        )
    # threads change generation together: one of them carries the figures, or all carry the same
    by_generation = table.groupby("generation")[columns].max().astype("float64")
    by_generation = by_generation.reindex(range(int(by_generation.index.max()) + 1))
    parts = {c.removeprefix(PREFIX).removesuffix(SUFFIX): by_generation[c].to_numpy(float) for c in columns}
    total = parts.pop("total", None)
    if total is None:
        total = np.nansum(np.stack(list(parts.values())), axis=0)
    known = total[np.isfinite(total)]
    text = (
        "From the end of a generation's last response window to the first onset of the next: median"
        f" {np.median(known):.1f} ms, largest {known.max():.1f} ms (n = {len(known)})."
    )
    rows = [[name, *_stats(values)] for name, values in {**parts, "total": total}.items()]
    blocks: list[Block] = [Text(text)]
    if parts:
        blocks.append(
            Figure(
                draw_bars(parts, "dead time (ms)"),
                text,
                "Dead time before each generation, by what it was spent on.",
            )
        )
    blocks.append(Table(("part", "n", "median (ms)", "largest (ms)"), rows, numeric=(1, 2, 3)))
    return Section("deadtime", TITLE, blocks)


def median_ms(material: Material) -> float:
    """Return the median of the total dead time; NaN if there is none."""
    total = material.generations.get(f"{PREFIX}total{SUFFIX}")
    if total is None or not total.notna().any():
        return float("nan")
    return float(total.astype("float64").median())


def _stats(values: np.ndarray[tuple[int, ...], np.dtype[np.float64]]) -> list[str]:
    known = values[np.isfinite(values)]
    if not len(known):
        return ["0", "–", "–"]  # noqa: RUF001 - a dash in an empty cell is what is meant
    return [str(len(known)), f"{np.median(known):.1f}", f"{known.max():.1f}"]
