"""The scan runs of a session, each in a line."""

from __future__ import annotations

import numpy as np

from closedloop.errors import SessionSchemaError
from closedloop.report.words import count, duration
from closedloop.scan.past import wish_words
from closedloop.scan.recorded import RecordedScan, is_scan, read_scans, scan_protocol_of
from closedloop.scan.settled import settle_all
from closedloop.session import SessionReader


def scan_lines(reader: SessionReader) -> list[tuple[str, str]]:
    """Return a label and a text for each scan run of a session; nothing for one without any."""
    if not is_scan(reader):
        return []
    lines: list[tuple[str, str]] = []
    try:
        protocol = scan_protocol_of(reader)
        scanner = protocol.scanner
        text = f"{count(scanner.volumes, 'volume')} at TR {scanner.tr_s:g} s"
        text += f" after {count(scanner.dummies, 'dummy', 'dummies')}" if scanner.dummies else ""
        text += f", {scanner.trigger.path} trigger" + (", simulated" if scanner.simulate else "")
        lines.append(("scanner", text))
        planned = len(protocol.runs.planned)
    except SessionSchemaError:
        protocol, planned = None, 0
    scans = settle_all(read_scans(reader, protocol))
    done = len({scan.label for scan in scans if scan.status == "completed"})
    text = f"{done} of {planned} completed" if planned else f"{done} completed"
    lines.append(("scan runs", f"{text}, {len(scans)} armed"))
    again = wish_words(reader, scans)
    lines += [("to be made again", again)] if again else []
    lines += [(f"scan {scan.name}", scan_line(scan)) for scan in scans]
    return lines


def scan_line(scan: RecordedScan) -> str:
    """Say how a scan run went, in a line."""
    parts = [_ended(scan)]
    if not scan.started:
        return "; ".join([*parts, "no stored volume came" if len(scan.pulses) else "no pulse came"])
    parts.append(f"{scan.stored_volumes} of {count(scan.volumes, 'volume')}{_tr(scan)}")
    shown = scan.shown
    invalid = int((shown["status"] == "invalid").sum())
    errors = (shown["onset_s"] - scan.start_s - shown["planned_s"]).to_numpy(float)
    text = f"{len(shown)} of {count(len(scan.images), 'image')}"
    if len(errors):
        text += f" (onset error {1000 * np.abs(errors).max():.1f} ms at most)"
    if invalid:
        text += f", {invalid} invalid"
    parts.append(text)
    asked = scan.events[scan.events["asked"] & scan.events["onset_s"].notna()]
    if len(asked):
        parts.append(f"{int(asked['answer'].notna().sum())} of {len(asked)} answered")
    counts: dict[str, int] = {}
    for finding in scan.findings:
        kind = str(finding.get("finding"))
        if kind != "first" and finding.get("count"):
            counts[kind] = counts.get(kind, 0) + 1
    if counts:
        told = ", ".join(f"{kind.replace('_', ' ')} {n}" for kind, n in sorted(counts.items()))
        parts.append(f"pulses: {told}")
    return "; ".join(parts)


def _ended(scan: RecordedScan) -> str:
    length = duration(scan.last_s - (scan.start_s if scan.started else scan.armed_s))
    if scan.status is None:
        return f"no end recorded: still running, or crashed (last known {length} after its start)"
    text = f"{scan.status} after {length}"
    return f"{text} ({scan.reason})" if scan.status != "completed" and scan.reason else text


def _tr(scan: RecordedScan) -> str:
    fitted, nominal = scan.ledger.get("tr_fitted_s"), scan.ledger.get("tr_nominal_s")
    if not fitted or not nominal:
        return ""
    return f", TR {fitted:.4f} s ({100 * (fitted / nominal - 1):+.2f} %)"
