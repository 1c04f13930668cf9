"""How the evolution went: curves, and whether the rise is significant."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from closedloop.report.blocks import Block, Bullets, Figure, Remark, Section, Table, Text
from closedloop.report.figures import style
from closedloop.report.figures.curve import CurvePanel, draw_curves
from closedloop.report.material import EvolvingThread, Material
from closedloop.report.words import NONE, count, listed, mean_sem, number, p_value, unit_of
from closedloop.scoring import Curve, Significance, Welch, curve, significance


@dataclass(frozen=True, eq=False)
class ThreadCourse:
    """The course of one thread. None where no generation has scores."""

    thread: EvolvingThread
    curve: Curve
    significance: Significance
    unit: str = "spikes/s"

    @property
    def known(self) -> list[int]:
        """Generations with at least one evolved image that has a valid trial."""
        return [int(g) for g in np.flatnonzero(np.isfinite(self.curve.evolved.mean))]

    @property
    def rise(self) -> float:
        """Mean response of the last known generation over that of the first; NaN if it can't be said."""
        if len(self.known) < 2:
            return float("nan")
        first, last = self.curve.evolved.mean[self.known[0]], self.curve.evolved.mean[self.known[-1]]
        return float(last / first) if first > 0 else float("nan")


def courses(material: Material) -> list[ThreadCourse]:
    """Return the course of every thread, from the mean response of each image in each generation."""
    found = []
    for thread in material.threads:
        scores = material.of_thread(material.scores, thread)
        columns = (scores["generation"], scores["kind"] == "reference", scores["mean"])
        unit = unit_of(material.protocol)
        found.append(ThreadCourse(thread, curve(*columns), significance(*columns), unit))
    return found


def section(material: Material, found: Sequence[ThreadCourse]) -> Section:
    """Return the section with the curve and the test."""
    known = [course for course in found if course.known]
    if not known:
        text = "There is nothing to draw a curve of, and nothing to test."
        return Section("evolution", "Evolved images against references", [Remark(text), *_gaps(found)])
    blocks: list[Block] = [_figure(material, known), *_gaps(found)]
    if material.protocol is not None and material.protocol.response.normalise != "off":
        how = {"subtract": "minus", "divide": "divided by"}[material.protocol.response.normalise]
        blocks.append(
            Text(
                f"The optimizer was told scores normalised by the references: the response {how} the mean of"
                f" its generation's references. Curve and test use the responses themselves, in {known[0].unit}."
            )
        )
    blocks += _test(known)
    return Section("evolution", "Evolved images against references", blocks)


def sentence(course: ThreadCourse) -> str:
    """Return what came of one thread, in one or two sentences."""
    evolved, reference = course.curve.evolved, course.curve.reference
    if not course.known:
        return "No generation was completed with a valid trial of an evolved image."
    first, last = course.known[0], course.known[-1]
    began = mean_sem(evolved.mean[first], evolved.sem[first], course.unit)
    if first == last:
        images = count(int(evolved.n[first]), "image")
        return f"One generation was completed; its evolved images evoked {began} (mean ± sem, {images})."
    verb = "rose" if evolved.mean[last] > evolved.mean[first] else "went"
    ended = mean_sem(evolved.mean[last], evolved.sem[last], course.unit)
    factor = f", {course.rise:.1f} times the start" if np.isfinite(course.rise) else ""
    text = (
        f"Evolved images: the mean response {verb} from {began} in generation {first} to {ended} in generation"
        f" {last}{factor} (± sem over {int(evolved.n[first])} and {int(evolved.n[last])} images)."
    )
    if np.isfinite(reference.mean[[first, last]]).all():
        before = mean_sem(reference.mean[first], reference.sem[first])
        after = mean_sem(reference.mean[last], reference.sem[last], course.unit)
        text += f" References: from {before} to {after}."
    return text


def _figure(material: Material, known: Sequence[ThreadCourse]) -> Figure:
    panels = []
    for course in known:
        scores = material.of_thread(material.scores, course.thread)
        evolved = scores[(scores["kind"] == "evolved") & scores["mean"].notna()]
        panels.append(
            CurvePanel(
                course.thread.name,
                style.thread_color(course.thread.index),
                course.curve,
                evolved["generation"].to_numpy(float),
                evolved["mean"].to_numpy(float),
            )
        )
    sizes = np.concatenate([c.curve.evolved.n[c.known] for c in known])
    n = f"{sizes.min()}" if sizes.min() == sizes.max() else f"{sizes.min()} to {sizes.max()}"
    caption = (
        f"Mean response of each generation; the band is ± 1 standard error over images (n = {n} evolved images"
        " a generation). Each dot is one evolved image, averaged over its valid trials."
    )
    alt = " ".join(f"{course.thread.name}: {sentence(course)}" for course in known)
    return Figure(draw_curves(panels, known[0].unit), alt, caption)


def _gaps(found: Sequence[ThreadCourse]) -> list[Block]:
    remarks: list[Block] = []
    for course in found:
        empty = [str(g) for g in course.curve.generations if g not in course.known]
        if empty:
            word = "generation" if len(empty) == 1 else "generations"
            remarks.append(
                Remark(
                    f"{course.thread.name}: no valid trial of an evolved image in {word} {listed(empty)}.",
                    "warning",
                )
            )
        elif not len(course.curve.generations):
            remarks.append(Remark(f"{course.thread.name}: no generation was completed."))
    return remarks


def _test(known: Sequence[ThreadCourse]) -> list[Block]:
    blocks: list[Block] = []
    rows: list[list[str]] = []
    for course in known:
        result = course.significance
        if result.evolved is None:
            blocks.append(Remark(f"{course.thread.name}: not tested. {' '.join(result.caveats)}"))
            continue
        corrected = p_value(result.p_corrected)
        rows.append(
            [course.thread.name, "evolved", *_row(result, result.evolved), corrected, _verdict(result)]
        )
        if result.reference is not None:
            rows.append(["", "references", *_row(result, result.reference), NONE, ""])
    if rows:
        blocks.insert(
            0, Text("The best two generations against the first two: Welch's t-test over images, two-sided.")
        )
        header = ("thread", "images", "first two", "best two", "n", "t (df)", "p", "p corrected", "")
        blocks.insert(
            1,
            Table(
                header,
                rows,
                numeric=(4, 5, 6, 7),
                caption=f"Mean responses in {known[0].unit}, generations in brackets.",
                wide=True,
            ),
        )
        tested = [course for course in known if course.significance.evolved is not None]
        blocks.append(Text("What must be said with this test:"))
        blocks.append(Bullets(_caveats(tested)))
    return blocks


def _row(result: Significance, test: Welch) -> list[str]:
    first, best = (", ".join(map(str, numbers)) for numbers in (result.first, result.best))
    t = f"{number(test.t)} ({number(test.df)})" if np.isfinite(test.t) else NONE
    means = [f"{number(test.means[0])} ({first})", f"{number(test.means[1])} ({best})"]
    return [*means, f"{test.n[0]}, {test.n[1]}", t, p_value(test.p)]


def _verdict(result: Significance) -> str:
    if result.significant:
        return "significant rise"
    return "no significant rise"


def _caveats(tested: Sequence[ThreadCourse]) -> list[str]:
    """Say each caveat once; those that only some threads have carry their names."""
    names: dict[str, list[str]] = {}
    for course in tested:
        for caveat in course.significance.caveats:
            names.setdefault(caveat, []).append(course.thread.name)
    return [
        caveat if len(who) == len(tested) else f"{listed(who)}: {caveat[0].lower()}{caveat[1:]}"
        for caveat, who in names.items()
    ]
