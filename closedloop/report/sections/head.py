"""The top of the page: what was run, how it ended, what came of it."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from closedloop.report.blocks import Finding, Head, Tile
from closedloop.report.figures import style
from closedloop.report.material import Material
from closedloop.report.sections.course import ThreadCourse, sentence
from closedloop.report.sections.deadtime import median_ms
from closedloop.report.sections.streams import live_share
from closedloop.report.words import NONE, count, duration, listed, p_value, share, times

ENDED = {
    "completed": "The session ended as planned",
    "stopped": "The session was ended at the rig",
    "aborted": "The session was aborted",
    "failed": "The session failed",
}


def head(material: Material, found: Sequence[ThreadCourse]) -> Head:
    """Return the top of the page."""
    verdict, mood = _verdict(found)
    protocol = material.protocol
    subject = protocol.subject.id if protocol else material.meta.get("session", "Session").split("_")[0]
    experiment = protocol.output.experiment if protocol else "session"
    started = str(material.runs["started_utc"].iloc[0])
    return Head(
        title=f"{subject}, {experiment}",
        subtitle=f"{started[:10]}, {started[11:16]} UTC · {material.meta.get('session', material.reader.folder.name)}",
        verdict=verdict,
        mood=mood,
        sentences=[f"{_what(material)} {ending(material)}"],
        findings=[
            Finding(course.thread.name, style.thread_color(course.thread.index), _result(course))
            for course in found
        ],
        tiles=_tiles(material, found),
    )


def _verdict(found: Sequence[ThreadCourse]) -> tuple[str, str]:
    tested = [course for course in found if course.significance.evolved is not None]
    if not tested:
        return "Too short to tell", "plain"
    risen = [course.thread.name for course in tested if course.significance.significant]
    if len(risen) == len(found):
        return "It evolved", "good"
    return (f"{listed(risen)} evolved", "good") if risen else ("No significant rise", "plain")


def _what(material: Material) -> str:
    trials = material.trials
    shown = int(trials["onset_s"].notna().sum())
    subject = material.protocol.subject.id if material.protocol else "The subject"
    species = (
        f" ({material.protocol.subject.species})"
        if material.protocol and material.protocol.subject.species
        else ""
    )
    names = [thread.name for thread in material.threads]
    evolutions = (
        "one evolution" if len(names) == 1 else f"{len(names)} interleaved evolutions ({listed(names)})"
    )
    length = duration(material.length_s)
    if not shown:
        return f"{subject}{species} was to see {evolutions}; no image was shown. The session lasted {length}."
    images = trials.loc[trials["onset_s"].notna(), "image"].nunique()
    resumed = f", resumed {times(len(material.runs) - 1)}" if len(material.runs) > 1 else ""
    return (
        f"{subject}{species} saw {count(int(images), 'image')} in {count(shown, 'trial')} of {evolutions}"
        f" in {length}{resumed}."
    )


def ending(material: Material) -> str:
    """Say how the session ended, and why."""
    last = material.runs.iloc[-1]
    status = last["exit_status"]
    if not isinstance(status, str):
        when = duration(material.length_s)
        return f"The session has no end in the file: it crashed, or still runs. The last thing recorded came after {when}."
    reason = last["reason"]
    words = ENDED.get(status, f"The session ended ({status})")
    return f"{words}: {reason.rstrip('.')}." if isinstance(reason, str) and reason else f"{words}."


def _result(course: ThreadCourse) -> str:
    result = course.significance
    text = sentence(course)
    if result.evolved is None:
        return f"{text} {result.caveats[0]}" if course.known else text
    p = f"p {_equals(p_value(result.p_corrected))} after correction for the choice of the best"
    if result.significant:
        return f"{text} The rise is significant ({p}; see the caveats at the test)."
    return f"{text} The best two generations are not significantly above the first two ({p})."


def _equals(p: str) -> str:
    return p if p.startswith("<") or p == NONE else f"= {p}"


def _tiles(material: Material, found: Sequence[ThreadCourse]) -> list[Tile]:
    trials = material.trials
    valid, judged = int(trials["valid"].sum()), int(trials["status"].isin(["valid", "invalid"]).sum())
    done = int(
        material.generations.groupby("generation")["ended_s"].apply(lambda ended: ended.notna().all()).sum()
    )
    planned = f"of {material.protocol.limits.generations} planned" if material.protocol else ""
    rises = [course.rise for course in found if np.isfinite(course.rise)]
    missed = int(trials["missed"].fillna(0).sum())
    dead, live = median_ms(material), live_share(material)
    rise_detail = "last generation over first" + (", threads apart" if len(rises) > 1 else "")
    return [
        Tile("Generations", str(done), "", planned),
        Tile("Rise", " · ".join(f"{rise:.1f}" for rise in rises) or NONE, "×" if rises else "", rise_detail),  # noqa: RUF001 - a times sign is what is meant
        Tile("Valid trials", f"{valid:,}", "", f"of {judged:,} judged ({share(valid, judged)})"),
        Tile(
            "Missed frames",
            f"{missed:,}",
            "",
            f"in {int(material.frames['interval_ms'].notna().sum()):,} flip intervals",
        ),
        Tile(
            "Dead time",
            f"{dead:.0f}" if np.isfinite(dead) else NONE,
            "ms" if np.isfinite(dead) else "",
            "median between generations",
        ),
        Tile(
            "Stream live",
            f"{100 * live:.1f}" if np.isfinite(live) else NONE,
            "%" if np.isfinite(live) else "",
            "of the recorded time",
        ),
    ]
