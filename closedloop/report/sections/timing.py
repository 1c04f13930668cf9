"""How well the display kept time."""

from __future__ import annotations

import numpy as np

from closedloop.report.blocks import Block, Figure, Remark, Section, Table, Text
from closedloop.report.figures import style
from closedloop.report.figures.bars import draw_bars
from closedloop.report.figures.histogram import draw_intervals
from closedloop.report.material import Material
from closedloop.report.words import NONE, count, decimals, quantity, share

TITLE = "Frame timing"
PACED = {
    "vblank": "Flips were paced by the display's vertical blank.",
    "clock": "The display gives no vertical blank, so the stage paced its flips by the clock: intervals say how"
    " evenly the program worked, not what a monitor showed.",
}


def section(material: Material, *, of_scans: bool = False) -> Section:
    """Return the section with intervals, missed frames and durations.

    Args:
        material: of the page.
        of_scans: missed frames are told with each scan run, and its trials have no background of their own.
    """
    blocks: list[Block] = [_display(material)]
    intervals = material.frames["interval_ms"].dropna().to_numpy(float)
    if not len(intervals):
        blocks.append(Remark("No flip was recorded, so there is nothing to say about timing."))
        return Section("timing", TITLE, blocks)
    period_ms = 1000 * material.period_s
    missed = int(material.trials["missed"].fillna(0).sum())
    if missed == 0:
        verdict = "no frame was missed"
    else:
        of = len(intervals) + missed
        verdict = f"{count(missed, 'frame')} of {of:,} {'was' if missed == 1 else 'were'} missed ({share(missed, of)})"
    blocks.append(
        Text(
            f"In {count(len(intervals), 'flip interval')} {verdict}. A trial with a missed frame is invalid."
        )
    )
    alt = f"Median {np.median(intervals):.2f} ms, largest {intervals.max():.2f} ms."
    caption = f"Time between flips within trials (n = {len(intervals):,}). {alt}"
    blocks.append(
        Figure(draw_intervals(intervals, period_ms if np.isfinite(period_ms) else 0.0), alt, caption)
    )
    if missed and not of_scans:
        blocks.append(_missed(material))
    blocks.append(_errors(material, intervals, period_ms))
    return Section("timing", TITLE, blocks)


def _display(material: Material) -> Block:
    known = [display for display in material.displays if display.get("refresh_hz")]
    if not known:
        return Remark("The display was never measured.", "warning")
    display = known[-1]
    period = float(display.get("period_s") or 1 / display["refresh_hz"])
    text = (
        f"Refresh {display['refresh_hz']:.3f} Hz, a period of {1000 * period:.3f} ms"
        f" (standard deviation of an interval when measured: {quantity(1000 * display.get('jitter_s', float('nan')), 'ms')}). "
    )
    paced = str(display.get("paced_by", ""))
    text += PACED.get(paced, "How flips were paced is not recorded.")
    return Remark(text, "warning") if paced == "clock" else Text(text)


def _missed(material: Material) -> Figure:
    shown = material.trials[material.trials["missed"].notna()]
    generations = int(shown["generation"].max()) + 1
    missed = shown["missed"].to_numpy(float)
    heights = np.bincount(shown["generation"].to_numpy(int), weights=missed, minlength=generations).astype(
        np.float64
    )
    drawing = draw_bars({"missed": heights}, "missed frames", whole=True, colors=(style.BAD,))
    return Figure(
        drawing,
        f"{int(missed.sum())} missed frames in all.",
        "Missed frames of each generation, all threads together.",
    )


def _errors(
    material: Material, intervals: np.ndarray[tuple[int, ...], np.dtype[np.float64]], period_ms: float
) -> Block:
    """Compare what was shown with what was planned, in whole frames of the measured refresh."""
    valid = material.trials[material.trials["valid"]]
    on = (
        1000 * (valid["offset_s"] - valid["onset_s"]).to_numpy(float)
        - valid["on_frames"].to_numpy(float) * period_ms
    )
    trial_ms = 1000 * material.frames.groupby(["run", "trial"])["time_s"].agg(
        lambda times: times.max() - times.min()
    )
    planned = valid.set_index(["run", "trial"])[["on_frames", "off_frames"]].sum(axis=1) * period_ms
    whole = (trial_ms.reindex(planned.index) - planned).to_numpy(float)
    interval = intervals - period_ms
    rows = []
    for name, errors in (
        ("flip interval − one period, all trials", interval),  # noqa: RUF001 - a minus sign is what is meant
        ("time on screen − planned, valid trials", on),  # noqa: RUF001 - as above
        ("length of the trial − planned, valid trials", whole),  # noqa: RUF001 - as above
    ):
        errors = errors[np.isfinite(errors)]
        if not len(errors):
            rows.append([name, "0", NONE, NONE, NONE])
            continue
        size = np.abs(errors)
        rows.append(
            [
                name,
                f"{len(errors):,}",
                *(decimals(float(x), 3) for x in (np.median(errors), np.percentile(size, 99), size.max())),
            ]
        )
    header = ("error", "n", "median (ms)", "99 % within ± (ms)", "largest (ms)")
    return Table(header, rows, numeric=(1, 2, 3, 4))
