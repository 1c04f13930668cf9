"""One scan run: is it good, and how was it?"""

from __future__ import annotations

import numpy as np

from closedloop.exports.columns import rows
from closedloop.protocol.scan import ScanProtocol
from closedloop.report.blocks import Block, Bullets, Figure, Remark, Section, Table, Text
from closedloop.report.figures.scan_run import draw_scan_run
from closedloop.report.scan_course import ODD, ScanCourse, by_condition, drift_words
from closedloop.report.words import NONE, count, decimals, duration, moment, share

MOST_FINDINGS = 40


def section(course: ScanCourse, protocol: ScanProtocol) -> Section:
    """Return the page of one scan run."""
    scan = course.scan
    title = f"Run {scan.label}"
    if scan.attempt or not course.counts:
        title += f", attempt {scan.attempt + 1}"
    if not course.counts:
        title += " (does not count)" if scan.status == "completed" else f" ({scan.status or 'cut off'})"
    blocks: list[Block] = [verdict(course)]
    if not scan.started:
        ended = _ended(course)
        blocks.append(Text(f"{ended[0].upper()}{ended[1:]}."))
        return Section(f"run-{scan.scan}", title, [*blocks, *_findings(course)])
    blocks.append(
        Figure(
            draw_scan_run(course, protocol.scanner.jitter_ms),
            _alt(course),
            "Top: each volume's pulse against the straight line through all of them; the band is the jitter that the"
            " protocol calls normal. Middle: each image's onset against its planned time; within the band, half a"
            " frame, no display can be nearer."
            + (" Bottom: time from what asked for an answer to the press." if course.responses else "")
            + (" Grey: dummies." if scan.dummies else ""),
        )
    )
    blocks.append(_facts(course, protocol))
    drift = drift_words(course)
    if drift:
        blocks.append(Text(drift))
    blocks += _conditions(course)
    return Section(f"run-{scan.scan}", title, [*blocks, *_findings(course)])


def verdict(course: ScanCourse) -> Block:
    """Return at a glance whether the run is good."""
    if not course.faults:
        return Remark(
            "This run is good: every volume's pulse came, and every image was shown as planned.", "plain"
        )
    return Remark(" ".join(course.faults), "warning")


def _ended(course: ScanCourse) -> str:
    scan = course.scan
    length = duration(scan.last_s - (scan.start_s if scan.started else scan.armed_s))
    after = "after its first stored volume" if scan.started else "after it was armed"
    if scan.status is None:
        return f"It has no end in the file; the last thing known of it came {length} {after}."
    return f"{scan.status} {length} {after}" + (f": {scan.reason}" if scan.reason else "")


def _facts(course: ScanCourse, protocol: ScanProtocol) -> Table:
    scan, ledger = course.scan, course.scan.ledger
    nominal_s, fitted_s = protocol.scanner.tr_s, course.tr_fitted_s
    tr = NONE
    if np.isfinite(fitted_s):
        error = ledger.get("tr_se_s")
        plus_minus = f" ± {1000 * error:.3f} ms" if error else ""
        tr = (
            f"{fitted_s:.5f} s{plus_minus} fitted; the protocol has {nominal_s:g} s"
            f" ({'+' if fitted_s >= nominal_s else ''}{decimals(100 * (fitted_s / nominal_s - 1), 3)} %)"
        )
    seen = ledger.get("stored_volumes_seen", scan.stored_volumes)
    volumes = f"{seen:,} of {scan.volumes:,} stored volumes"
    if scan.dummies:
        volumes += f", after {count(scan.dummies, 'dummy', 'dummies')}"
    spread = ledger.get("residual_sd_s")
    if spread is not None:
        volumes += f"; jitter {1000 * spread:.2f} ms (standard deviation)"
    pairs = [["How it ended", _ended(course)], ["Pulses", volumes], ["TR", tr]]
    odd = [count(len(times), *ODD[verdict]) for verdict, times in course.odd_s.items() if len(times)]
    missing = len(course.missing_s)
    if missing:
        odd.insert(0, count(missing, *ODD["missed"]))
    pairs.append(["Odd pulses", "; ".join(odd) or "none"])
    pairs.append(["Trigger", f"{scan.trigger.get('path', '')}, {scan.trigger.get('device', '')}".strip(", ")])
    images = f"{len(course.onsets_s):,} of {len(scan.images):,} shown, {int(course.valid.sum()):,} valid"
    pairs.append(["Images", images])
    if len(course.errors_ms):
        size = np.abs(course.errors_ms)
        half = f"; half a frame is {course.half_frame_ms:.2f} ms" if np.isfinite(course.half_frame_ms) else ""
        pairs.append(["Onset error", f"median {np.median(size):.2f} ms, largest {size.max():.2f} ms{half}"])
    pairs.append(["Missed frames", f"{course.missed_frames:,}"])
    found = course.responses
    if found is not None:
        pairs.append(["Responses", response_words(course)])
    efficiency = scan.drawn.get("efficiency")
    if isinstance(efficiency, dict) and efficiency.get("total") is not None:
        of = scan.drawn.get("candidates", 1)
        chosen = f", the best of {of:,} drawn" if of > 1 else ""
        pairs.append(["Efficiency", f"{efficiency['total']:.4g}{chosen}"])
    return Table(("In figures", ""), pairs)


def response_words(course: ScanCourse) -> str:
    """Say how the subject answered."""
    found = course.responses
    if found is None:
        return "no task"
    if not found.asked:
        text = "nothing asked for an answer"
    else:
        text = f"{found.hits} of {found.asked} answered ({share(found.hits, found.asked)})"
        if found.wrong:
            text += f", {found.wrong} with a wrong key"
        if found.misses:
            text += f", {found.misses} missed"
    text += f"; {count(found.false_alarms, 'press', 'presses')} that {'answers' if found.false_alarms < 2 else 'answer'} nothing"
    if len(found.times_s):
        low, middle, high = np.percentile(found.times_s, (25, 50, 75))
        text += f"; response time {middle:.3f} s (quartiles {low:.3f} to {high:.3f} s)"
    return text


def _conditions(course: ScanCourse) -> list[Block]:
    table = by_condition(course)
    if table.empty:
        return []
    asked = bool(table["asked"].sum())
    cells = [
        [
            str(row["trial_type"]),
            f"{row['planned']:,}",
            *((NONE, NONE) if row["kind"] == "null" else (f"{row['shown']:,}", f"{row['valid']:,}")),
            *([f"{row['asked']:,}", f"{row['right']:,}", _seconds(row["answer_s"])] if asked else []),
        ]
        for row in rows(table)
    ]
    header = ["condition", "planned", "shown", "valid"]
    header += ["asked", "right", "median response (s)"] if asked else []
    return [Table(header, cells, numeric=tuple(range(1, len(header))))]


def _findings(course: ScanCourse) -> list[Block]:
    scan = course.scan
    zero = scan.start_s if scan.started else scan.armed_s
    told = [one for one in scan.findings if one.get("finding") != "first" and one.get("words")]
    if not told:
        return []
    items = [f"{moment(float(one['time_s']) - zero)} min: {one['words']}" for one in told[:MOST_FINDINGS]]
    if len(told) > MOST_FINDINGS:
        items.append(f"{len(told) - MOST_FINDINGS:,} more are in the session file, table events.")
    return [Text("What the pulses told, as it was said to the operator:"), Bullets(items)]


def _alt(course: ScanCourse) -> str:
    known = course.residuals_ms[np.isfinite(course.residuals_ms)]
    return (
        f"Pulse residuals within ±{np.abs(known).max(initial=0.0):.2f} ms,"
        f" onset errors within ±{np.abs(course.errors_ms).max(initial=0.0):.2f} ms."
    )


def _seconds(value: float) -> str:
    return f"{value:.3f}" if np.isfinite(value) else NONE
