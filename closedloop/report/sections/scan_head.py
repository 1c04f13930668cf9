"""The top of a scanner session's page: which runs are good?"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from closedloop.protocol.scan import ScanProtocol
from closedloop.report.blocks import Finding, Head, Tile
from closedloop.report.material import Material
from closedloop.report.scan_course import ScanCourse
from closedloop.report.sections.head import ending
from closedloop.report.words import NONE, count, duration, listed, times
from closedloop.scan.past import wish_words
from closedloop.scan.recorded import task_words

GOOD, DOUBTFUL, BAD = "#2f7d4f", "#e0a82e", "#b4342d"


def head(material: Material, found: Sequence[ScanCourse], protocol: ScanProtocol) -> Head:
    """Return the top of the page."""
    started = str(material.runs["started_utc"].iloc[0])
    session = material.meta.get("session", material.reader.folder.name)
    labels = [run.label for run in protocol.runs.planned]
    verdict, mood = _verdict(labels, found)
    return Head(
        title=f"{protocol.subject.id}, {protocol.output.experiment}",
        subtitle=f"{started[:10]}, {started[11:16]} UTC · {session}",
        verdict=verdict,
        mood=mood,
        sentences=[
            f"{_what(material, found, protocol)} {ending(material)}",
            *_to_be_made_again(material, found),
        ],
        findings=[_finding(label, found) for label in labels],
        tiles=_tiles(labels, found, protocol.scanner.tr_s),
    )


def _verdict(labels: Sequence[str], found: Sequence[ScanCourse]) -> tuple[str, str]:
    counting = {course.scan.label: course for course in found if course.counts}
    if not counting:
        return "No run was completed", "warning"
    lacking = [label for label in labels if label not in counting]
    doubtful = [label for label, course in counting.items() if course.faults]
    parts = []
    if doubtful:
        parts.append(f"Look at {_runs(doubtful)}")
    if lacking:
        parts.append(f"{_runs(lacking)} not completed")
    if parts:
        text = ", ".join(parts)
        return text[0].upper() + text[1:], "warning"
    return ("The run is good" if len(labels) == 1 else "All runs are good"), "good"


def _runs(labels: Sequence[str]) -> str:
    return f"run{'' if len(labels) == 1 else 's'} {listed(labels)}"


def _what(material: Material, found: Sequence[ScanCourse], protocol: ScanProtocol) -> str:
    scanner = protocol.scanner
    shown = sum(len(course.onsets_s) for course in found)
    simulated = "a simulated scanner" if scanner.simulate is not None else "the scanner"
    length = duration(material.length_s)
    resumed = f", resumed {times(len(material.runs) - 1)}" if len(material.runs) > 1 else ""
    return (
        f"{protocol.subject.id} saw {count(shown, 'image')} in {count(len(found), 'run')} that {'was' if len(found) == 1 else 'were'}"
        f" armed, locked to {simulated} at a TR of {scanner.tr_s:g} s, in {length}{resumed};"
        f" the task was {task_words(protocol)}."
    )


def _to_be_made_again(material: Material, found: Sequence[ScanCourse]) -> list[str]:
    words = wish_words(material.reader, [course.scan for course in found])
    return [f"Still to be made again: {words}."] if words else []


def _finding(label: str, found: Sequence[ScanCourse]) -> Finding:
    own = [course for course in found if course.scan.label == label]
    counting = next((course for course in own if course.counts), None)
    if counting is None:
        why = f"Armed {times(len(own))}, and not completed." if own else "It was not armed."
        return Finding(f"Run {label}", BAD, why)
    attempts = max(len(own), counting.scan.attempt + 1)
    tried = f" Of {attempts} attempts, attempt {counting.scan.attempt + 1} counts." if attempts > 1 else ""
    if counting.faults:
        return Finding(f"Run {label}", DOUBTFUL, " ".join(counting.faults) + tried)
    return Finding(f"Run {label}", GOOD, f"Good: pulses and images were as planned.{tried}")


def _tiles(labels: Sequence[str], found: Sequence[ScanCourse], nominal_s: float) -> list[Tile]:
    counting = [course for course in found if course.counts]
    seen = sum(int(c.scan.ledger.get("stored_volumes_seen") or c.scan.stored_volumes) for c in counting)
    expected = sum(course.scan.volumes for course in counting)
    fitted = [course.tr_fitted_s for course in counting if np.isfinite(course.tr_fitted_s)]
    errors = np.concatenate([np.abs(course.errors_ms) for course in counting] or [np.empty(0)])
    half = [course.half_frame_ms for course in counting if np.isfinite(course.half_frame_ms)]
    invalid = sum(int((~course.valid).sum()) for course in counting)
    answers = [course.responses for course in counting if course.responses is not None]
    asked, hits = sum(one.asked for one in answers), sum(one.hits for one in answers)
    tiles = [
        Tile("Runs completed", f"{len(counting)}", "", f"of {len(labels)}, armed {times(len(found))}"),
        Tile("Volumes", f"{seen:,}", "", f"of {expected:,} in runs that count"),
        Tile(
            "TR",
            f"{max(fitted, key=lambda tr_s: abs(tr_s - nominal_s)):.4f}" if fitted else NONE,
            "s" if fitted else "",
            f"by the pulses{', farthest off' if len(fitted) > 1 else ''}; nominal {nominal_s:g} s",
        ),
        Tile(
            "Onset error",
            f"{errors.max():.1f}" if len(errors) else NONE,
            "ms" if len(errors) else "",
            f"largest; half a frame is {max(half):.1f} ms" if half else "largest",
        ),
        Tile("Images not valid", f"{invalid:,}", "", f"of {len(errors):,} shown"),
    ]
    if asked:
        tiles.append(Tile("Answered", f"{hits:,}", "", f"of {asked:,} that asked for an answer"))
    return tiles
