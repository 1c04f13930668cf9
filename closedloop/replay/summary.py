"""What a session is and how it ended, in a few lines; of a damaged one as much as can be read."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import pandas as pd

from closedloop.errors import SessionDamagedError
from closedloop.exports.columns import rows
from closedloop.protocol.sections.volumes import unit_of_responses
from closedloop.replay.recorded import protocol_tree
from closedloop.replay.scan_summary import scan_lines
from closedloop.report.words import count, duration, share, utc
from closedloop.scan.recorded import KIND, is_scan
from closedloop.session import SessionReader
from closedloop.session.soundness import damage_in
from closedloop.sparkline import sparkline

# A look at every page takes about 1 s for so many bytes on a slow disk.
CHECKED_BYTES = 256 * 1024 * 1024


@dataclass
class Summary:
    """Lines of a label and a text, and what can't be read, in sentences."""

    lines: list[tuple[str, str]] = field(default_factory=list)
    damages: list[str] = field(default_factory=list)


def summarise(reader: SessionReader) -> Summary:
    """Return the summary of a session, whatever state it is in."""
    summary = Summary()
    parts: Sequence[Callable[[SessionReader], list[tuple[str, str]]]] = (
        (_what, _runs, scan_lines, _trials, _files)
        if _is_scan(reader, summary)
        else (_what, _runs, _generations, _trials, _streams, _curves, _files)
    )
    for part in parts:
        try:
            summary.lines += part(reader)
        except SessionDamagedError as error:
            summary.damages.append(f"{error.where}: {error.found}")
        except (KeyError, ValueError, TypeError, AttributeError, ArithmeticError) as error:
            if not damage_in(reader):
                raise
            summary.damages.append(f"{reader.path}: values that make no sense ({error})")
    if reader.path.stat().st_size <= CHECKED_BYTES:
        summary.damages += [f"{reader.path}: {problem}" for problem in damage_in(reader)]
    summary.damages = list(dict.fromkeys(summary.damages))
    return summary


def _is_scan(reader: SessionReader, summary: Summary) -> bool:
    try:
        return is_scan(reader)
    except SessionDamagedError as error:
        summary.damages.append(f"{error.where}: {error.found}")
        return False


def _what(reader: SessionReader) -> list[tuple[str, str]]:
    meta = reader.meta()
    protocol = protocol_tree(reader)
    subject = protocol.get("subject", {})
    presentation = protocol.get("presentation", {})
    names = ", ".join(str(name) for name in reader.table("threads")["name"])
    lines = [("session", f"{meta.get('session', reader.folder.name)} ({meta.get('kind', 'unknown kind')})")]
    if subject:
        told = [str(subject[key]) for key in ("id", "species", "sex") if subject.get(key)]
        lines.append(("subject", ", ".join(told)))
    planned = protocol.get("limits", {}).get("generations")
    text = f"seed {meta.get('seed', 'unknown')}, SHA-256 {meta.get('protocol_sha256', 'unknown')[:12]}"
    if presentation:
        text += f", {presentation.get('on_ms'):g} ms on, {presentation.get('off_ms'):g} ms off"
    if planned:
        text += f", {count(planned, 'generation')} at most"
    lines.append(("protocol", text))
    if meta.get("kind") != KIND:
        lines.append(("threads", names or "none"))
    return lines


def _runs(reader: SessionReader) -> list[tuple[str, str]]:
    table = reader.table("runs")
    last = int(table["run"].max()) if len(table) else -1
    lines = []
    for row in rows(table):
        began = f"{utc(row['started_utc'])} UTC"
        if isinstance(row["exit_status"], str):
            length = duration(row["ended_s"] - row["started_s"])
            end = f"{row['exit_status']} after {length}"
            end += f": {row['reason']}" if isinstance(row["reason"], str) and row["reason"] else ""
        elif row["run"] < last:
            end = "crashed; resumed by the next run"
        else:
            end = f"no end recorded: still running, or crashed (last written {_age(reader)} ago)"
        lines.append((f"run {row['run']}", f"{began}, {end}"))
    return lines


def _age(reader: SessionReader) -> str:
    files = [path for path in reader.folder.glob(f"{reader.path.name}*") if not path.name.endswith("-shm")]
    return duration(max(0.0, time.time() - max(path.stat().st_mtime for path in files)))


def _generations(reader: SessionReader) -> list[tuple[str, str]]:
    table = reader.table("generations")
    if table.empty:
        return [("generations", "none")]
    ended = table.groupby("generation")["ended_s"].apply(lambda ended: ended.notna().all())
    begun = int((~ended).sum())
    return [("generations", f"{int(ended.sum())} complete" + (f", {begun} begun" if begun else ""))]


def _trials(reader: SessionReader) -> list[tuple[str, str]]:
    table = reader.table("trials")
    if table.empty:
        return [("trials", "none")]
    valid, invalid = (int((table["status"] == status).sum()) for status in ("valid", "invalid"))
    other = len(table) - valid - invalid
    text = f"{valid:,} valid, {invalid:,} invalid ({share(invalid, valid + invalid)})"
    if other:
        text += f", {other:,} not judged"
    reasons = table.loc[table["status"] == "invalid", "reason"].value_counts()
    if len(reasons):
        text += ": " + ", ".join(f"{reason} {n:,}" for reason, n in reasons.items())
    missed = pd.to_numeric(table["missed"], errors="coerce").fillna(0)
    return [
        ("trials", text),
        ("missed frames", f"{int(missed.sum()):,} in {count(int((missed > 0).sum()), 'trial')}"),
    ]


def _streams(reader: SessionReader) -> list[tuple[str, str]]:
    table = reader.table("streams")
    chunks = reader.table("chunks")
    lines = []
    for run, role, info in zip(table["run"], table["role"], reader.details("streams", "info"), strict=True):
        rate = info.get("nominal_hz") or 0.0
        samples = chunks[(chunks["run"] == run) & (chunks["role"] == role)]
        text = (
            f"{info.get('name')} (kind {info.get('kind')}, source id '{info.get('source_id')}'),"
            f" {info.get('channels')} x {info.get('dtype')}, {f'{rate:g} Hz' if rate else 'irregular'},"
            f" {int(samples['samples'].sum()):,} samples"
        )
        lines.append((f"{role} stream" + (f", run {run}" if run else ""), text))
    return lines or [("streams", "none")]


def _curves(reader: SessionReader) -> list[tuple[str, str]]:
    scores = reader.table("scores").merge(reader.table("images")[["image", "kind"]], on="image")
    unit = unit_of_responses(protocol_tree(reader))
    lines = []
    for row in rows(reader.table("threads")):
        own = scores[(scores["thread"] == row["thread"]) & (scores["kind"] == "evolved")]
        means = own.groupby("generation")["mean"].mean().to_numpy(dtype=np.float64)
        known = means[np.isfinite(means)]
        if len(known):
            text = f"{sparkline(means.tolist())}  {known[0]:.1f} to {known[-1]:.1f} {unit}"
            lines.append((f"curve, {row['name']}", text))
    return lines


def _files(reader: SessionReader) -> list[tuple[str, str]]:
    base = reader.path.name
    of_session = sum(path.stat().st_size for path in _all(reader.folder) if path.name.startswith(base))
    names = sorted(
        path.name + ("/" if path.is_dir() else "")
        for path in reader.folder.iterdir()
        if not path.name.startswith((base, "."))
    )
    waiting = reader.folder / f"{base}-wal"
    wal = f", {_size(waiting.stat().st_size)} of it in its write-ahead log" if waiting.is_file() else ""
    return [
        ("session file", f"{_size(of_session)}{wal}, schema {reader.schema_version()}"),
        ("beside it", ", ".join(names) or "nothing"),
        (
            "folder",
            f"{reader.folder.resolve()} ({_size(sum(p.stat().st_size for p in _all(reader.folder)))})",
        ),
    ]


def _all(folder: Path) -> list[Path]:
    return [path for path in folder.rglob("*") if path.is_file()]


def _size(n_bytes: int) -> str:
    return f"{n_bytes / 1e6:,.1f} MB" if n_bytes >= 1e5 else f"{n_bytes / 1e3:,.1f} kB"
