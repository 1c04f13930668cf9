"""``rescore.html``: the new evolution beside the recorded one, in the look of the report."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
from jinja2 import Environment, PackageLoader, StrictUndefined

from closedloop.exports.files import write_text
from closedloop.ports import Float64
from closedloop.replay.amended import amended_runs
from closedloop.replay.rescoring.figure import draw_agreement
from closedloop.replay.rescoring.rescore import Rescored, RescoredGeneration, RescoredThread
from closedloop.report.blocks import Block, Bullets, Figure, Finding, Head, Section, Table, Text, Tile
from closedloop.report.figures import style
from closedloop.report.figures.curve import CurvePanel, draw_curves
from closedloop.report.words import NONE, count, number
from closedloop.session.store import utc_now

FILE_NAME = "rescore.html"
HEADER = (
    "generation",
    "evolved",
    "rescored",
    "references",
    "rescored",
    "rank correlation",
    "same parents",
    "same best",
    "no response",
)


def write_page(rescored: Rescored, path: Path) -> Path:
    """Write the page; it needs no other file.

    Raises:
        DiskError: it can't be written.
    """
    environment = Environment(
        loader=PackageLoader("closedloop.report"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    session = rescored.recorded.reader.meta().get("session", rescored.recorded.reader.folder.name)
    page = environment.get_template("report.html.j2").render(
        head=_head(rescored, session),
        sections=[_curves(rescored), _agreement(rescored), _parameters(rescored)],
        session=f"{session}, rescored",
        written=utc_now(),
    )
    return write_text(path, page)


def sentences(rescored: Rescored) -> list[str]:
    """Return what came of it, one sentence or two a thread."""
    if rescored.equal:
        return ["The scores are exactly the recorded ones."]
    words = []
    for thread in rescored.threads:
        if not thread.generations:
            words.append(f"{thread.name}: no generation was finished.")
            continue
        first, last = thread.generations[0], thread.generations[-1]
        was = f"from {_mean(first, again=False)} to {_mean(last, again=False)}"
        now = f"from {_mean(first, again=True)} to {_mean(last, again=True)}"
        words.append(
            f"{thread.name}: evolved images went {now} {rescored.protocol.response.unit} over {count(len(thread.generations), 'generation')},"
            f" where the record has {was}. Scores rank the images as recorded by"
            f" {number(mean_of(thread, 'rank_correlation'), 2)} (mean of Spearman's correlation);"
            f" {percent(mean_of(thread, 'same_parents'))} of the parents and"
            f" {percent(mean_of(thread, 'same_elite'))} of the best kept would have been the same."
        )
    without = sum(one.without for thread in rescored.threads for one in thread.generations)
    if without:
        words.append(
            f"{count(without, 'valid trial')} had no response measured like this, and were left out."
        )
    return words


def rows(thread: RescoredThread) -> list[list[str]]:
    """Return the table of a thread, a row a generation, under ``HEADER``."""
    return [
        [
            str(one.generation),
            _mean(one, again=False),
            _mean(one, again=True),
            _mean(one, again=False, references=True),
            _mean(one, again=True, references=True),
            NONE
            if np.isnan(one.rank_correlation)
            else f"{one.rank_correlation:.3f}".replace("-", "\N{MINUS SIGN}"),
            percent(one.same_parents),
            percent(one.same_elite),
            str(one.without),
        ]
        for one in thread.generations
    ]


def mean_of(thread: RescoredThread, what: str) -> float:
    """Mean over generations of one of their figures; NaN for none."""
    values = np.array([getattr(one, what) for one in thread.generations], dtype=np.float64)
    known = values[np.isfinite(values)]
    return float(known.mean()) if len(known) else float("nan")


def percent(share: float) -> str:
    """Return a share in percent; a dash for none."""
    return NONE if np.isnan(share) else f"{100 * share:.0f} %"


def _mean(one: RescoredGeneration, *, again: bool, references: bool = False) -> str:
    means: Float64 = one.again_means if again else one.recorded_means
    part = means[one.evolved :] if references else means[: one.evolved]
    known = part[np.isfinite(part)]
    return number(float(known.mean())) if len(known) else NONE


def _head(rescored: Rescored, session: str) -> Head:
    protocol = rescored.protocol
    asked = ", ".join(rescored.settings) or "nothing changed"
    tiles = []
    for thread in rescored.threads:
        of = f", {thread.name}" if len(rescored.threads) > 1 else ""
        figures = (
            ("Rank correlation", number(mean_of(thread, "rank_correlation"), 2), "of the scores, mean"),
            ("Same parents", percent(mean_of(thread, "same_parents")), "mean over generations"),
            ("Same best", percent(mean_of(thread, "same_elite")), "of those kept, mean"),
        )
        tiles += [Tile(label + of, value, "", detail) for label, value, detail in figures]
    return Head(
        title=f"{protocol.subject.id}, {protocol.output.experiment}, rescored",
        subtitle=f"{session} · {asked}",
        verdict="The recorded scores" if rescored.equal else "Scored another way",
        mood="good" if rescored.equal else "plain",
        sentences=["The recorded samples were measured and scored again; nothing was shown again."],
        findings=[
            Finding("What came of it", style.thread_color(i), text)
            for i, text in enumerate(sentences(rescored))
        ],
        tiles=tiles,
    )


def _curves(rescored: Rescored) -> Section:
    blocks: list[Block] = []
    for thread in rescored.threads:
        if not thread.generations:
            blocks.append(Text(f"{thread.name}: no generation was finished."))
            continue
        panels = [
            CurvePanel(
                f"{thread.name}, {label}",
                color,
                thread.curve(again=again),
                *thread.points(again=again),
            )
            for label, color, again in (
                ("as recorded", style.INK, False),
                ("rescored", style.thread_color(thread.index), True),
            )
        ]
        caption = (
            "Mean response of evolved images and references in each generation, with its standard error over"
            " images; a dot is an evolved image. Left as recorded, right measured again."
        )
        alt = f"Evolution of {thread.name} as recorded and rescored"
        blocks.append(Figure(draw_curves(panels, rescored.protocol.response.unit), alt, caption))
    if rescored.protocol.response.normalise != "off":
        blocks.append(
            Text("Curves show the responses themselves; the scores are normalised by the references besides.")
        )
    return Section("curves", "The evolution, recorded and rescored", blocks)


def _agreement(rescored: Rescored) -> Section:
    known = [thread for thread in rescored.threads if thread.generations]
    blocks: list[Block] = [
        Text(
            "Had the search been told these scores, how much of its choice would have been the same? After the"
            " first difference it would have bred other images, so this says how each generation by itself"
            " would have been judged, not where the evolution would have gone."
        ),
        Bullets(
            [
                "Rank correlation: Spearman's, of the two scores of a generation's images.",
                "Same parents: the share that the two chances of becoming a parent have in common.",
                "Same best: how many of the images kept unchanged are the same.",
            ]
        ),
    ]
    if known:
        caption = "1: the same choice. 0: none in common."
        blocks.append(Figure(draw_agreement(known), "Agreement by generation", caption))
    for thread in known:
        caption = (
            f"{thread.name}: mean responses in {rescored.protocol.response.unit}, and agreement."
            if len(known) > 1
            else ""
        )
        blocks.append(Table(HEADER, rows(thread), numeric=range(len(HEADER)), caption=caption, wide=True))
    return Section("agreement", "What the search would have chosen", blocks)


def _parameters(rescored: Rescored) -> Section:
    pairs: list[Sequence[str]] = [
        [key, was if was == now else f"{was} → {now}"] for key, was, now in _compared(rescored)
    ]
    blocks: list[Block] = [Table(("parameter", ""), pairs)]
    changed = [
        f"Run {one.run} went on with {one.words}."
        for one in amended_runs(rescored.recorded.reader)
        if one.changes
    ]
    if changed:
        blocks.append(
            Text(
                "The table is of the last run; earlier ones were scored by their own protocol. "
                + " ".join(changed)
            )
        )
    return Section("parameters", "How it was scored", blocks)


def _compared(rescored: Rescored) -> list[tuple[str, str, str]]:
    was, now = rescored.recorded.protocol, rescored.protocol
    found = []
    for key in ("window", "baseline", "subtract_baseline", "normalise", "artefact"):
        found.append(
            (key.replace("_", " "), _plain(getattr(was.response, key)), _plain(getattr(now.response, key)))
        )
    for before, after in zip(was.threads, now.threads, strict=True):
        found.append((f"units of {after.name}", _plain(before.units), _plain(after.units)))
    return found


def _plain(value: object) -> str:
    dump = getattr(value, "model_dump", None)
    if dump is None:
        return (
            NONE
            if value is None
            else {True: "yes", False: "no"}.get(value, str(value))
            if isinstance(value, bool)
            else str(value)
        )
    tree: dict[str, object] = dump(mode="json")
    return (
        ", ".join(f"{key.replace('_', ' ')} {inner}" for key, inner in tree.items() if inner is not None)
        or NONE
    )
