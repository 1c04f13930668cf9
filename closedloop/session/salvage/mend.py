"""Makes a whole of the rows that were found: what is incomplete goes, and is named."""

from __future__ import annotations

import hashlib
import json
import zlib
from functools import partial
from typing import Any

import numpy as np

from closedloop.session import codec
from closedloop.session.salvage.pages import near
from closedloop.session.salvage.runs import mend_runs
from closedloop.session.salvage.scans import mend_scans, name_missing, shown_by_scans
from closedloop.session.salvage.tables import Table
from closedloop.session.salvage.work import Rows, dicts, drop, drop_orphans, is_no_json, listed, put


def mend(tables: Rows) -> list[str]:
    """Drop what is damaged or incomplete, put stand-ins where others need them, and say what is missing."""
    missing: list[str] = []
    missing += _chunks(tables["chunks"])
    missing += _images(tables["images"])
    missing += _texts(tables)
    missing += _parents(tables)
    missing += _trials(tables)
    missing += mend_scans(tables, _protocol(tables["meta"]))
    missing += _generations(tables)
    missing += _gaps(tables)
    missing += name_missing(tables)
    return missing


def _chunks(table: Table) -> list[str]:
    def whole(row: dict[str, Any]) -> bool:
        try:
            codec.unpack(_bytes(row["stamps"]), np.float64, (row["samples"],))
            codec.unpack(_bytes(row["data"]), row["dtype"], (row["samples"], row["channels"]))
        except (ValueError, TypeError, MemoryError):
            return False
        return True

    gone = drop(table, lambda row: not whole(row))
    return [f"{len(gone)} chunks of samples are damaged"] if gone else []


def _bytes(value: Any) -> bytes:
    found = near(value)
    if not isinstance(found, bytes):
        raise TypeError("lost")
    return found


def _images(table: Table) -> list[str]:
    lost = []
    at = table.index("pixels")
    for row in table.rows.values():
        if row[at] is None:
            continue
        named: dict[str, Any] = dict(zip((column.name for column in table.columns), row, strict=True))
        if not _whole(named):
            row[at] = None
            lost.append(named["image"])
    return [f"the pixels of {listed('image', lost)} (their codes are there)"] if lost else []


def _whole(image: dict[str, Any]) -> bool:
    try:
        raw = zlib.decompress(_bytes(image["pixels"]))
    except (zlib.error, TypeError):
        return False
    return (
        len(raw) == 3 * (image["height_px"] or 0) * (image["width_px"] or 0)
        and hashlib.sha256(raw).hexdigest() == image["sha256"]
    )


def _texts(tables: Rows) -> list[str]:
    """Drop rows whose JSON can't be read."""
    missing = []
    for name, column in (
        ("threads", "spec"),
        ("threads", "generator"),
        ("streams", "info"),
        ("markers", "payload"),
        ("events", "detail"),
        ("runs", "environment"),
        ("scans", "drawn"),
        ("scans", "trigger"),
        ("planned", "fields"),
    ):
        gone = drop(tables[name], partial(is_no_json, column))
        if gone:
            missing.append(f"{len(gone)} rows of table {name}, whose texts are damaged")
    for name, column in (("runs", "display"), ("generations", "timing"), ("scans", "ledger")):
        at, spoilt = tables[name].index(column), 0
        for row in tables[name].rows.values():
            if row[at] is not None and is_no_json(column, {column: row[at]}):
                row[at], spoilt = None, spoilt + 1
        if spoilt:
            missing.append(f"{spoilt} texts of table {name}, {column}")
    return missing


def _parents(tables: Rows) -> list[str]:
    """Runs and threads that other rows name must be there; a stand-in is marked as one."""
    missing = mend_runs(tables)
    protocol = _protocol(tables["meta"])
    images = dicts(tables["images"])
    threads = {row["thread"] for row in images}
    for thread in sorted(threads - set(tables["threads"].column("thread"))):
        if sum(row["thread"] == thread for row in images) < 2:
            continue
        specs = protocol.get("threads", [])
        spec = specs[thread] if 0 <= thread < len(specs) else {}
        put(
            tables["threads"],
            thread=thread,
            name=str(spec.get("name", f"thread{thread}")),
            spec=json.dumps(spec),
            generator="{}",
        )
        missing.append(f"the record of thread {thread} (a stand-in has what the protocol says)")
    if not {("protocol_json",), ("protocol",)} & set(tables["meta"].rows):
        missing.append("the protocol: the session can't be verified or scored again")
    return missing


def _trials(tables: Rows) -> list[str]:
    """A trial is complete with its run, thread and image, and a valid one with its response."""
    missing: list[str] = []
    trials, responses = tables["trials"], tables["responses"]
    runs, threads = set(tables["runs"].column("run")), set(tables["threads"].column("thread"))
    missing += drop_orphans(tables["images"], lambda row: row["thread"] not in threads, "thread")
    images = set(tables["images"].column("image"))
    for name in ("chunks", "streams", "markers", "events", "clock_probes", "stream_states"):
        missing += drop_orphans(tables[name], lambda row: row["run"] not in runs, "run")
    missing += drop_orphans(tables["generations"], lambda row: row["thread"] not in threads, "thread")
    gone = drop(
        trials,
        lambda row: row["run"] not in runs or row["thread"] not in threads or row["image"] not in images,
    )
    if gone:
        missing.append(f"{listed('trial', [int(key[0]) for key in gone])}, whose image or run is lost")
    unanswered: list[Any] = []
    status = trials.index("status")
    without_response = shown_by_scans(tables)
    for key, row in trials.rows.items():
        if row[status] == "valid" and key not in responses.rows and key[0] not in without_response:
            row[status] = "interrupted"
            unanswered.append(key[0])
    if unanswered:
        missing.append(
            f"the response of {listed('trial', unanswered)}, which {'is' if len(unanswered) == 1 else 'are'}"
            " marked as interrupted"
        )
    of_valid = {key for key, row in trials.rows.items() if row[status] == "valid"}
    without_trial: list[tuple[Any, ...]] = [key for key in responses.rows if key not in of_valid]
    for key in without_trial:
        del responses.rows[key]
    if without_trial:
        missing.append(
            f"{listed('trial', [key[0] for key in without_trial])}, of which only the response was left"
        )
    missing += drop_orphans(tables["scores"], lambda row: row["image"] not in images, "image")
    return missing


def _generations(tables: Rows) -> list[str]:
    """A generation is finished if every image of it has its score."""
    missing = []
    images, scores, trials = (dicts(tables[name]) for name in ("images", "scores", "trials"))
    table = tables["generations"]
    bred: dict[tuple[int, int], set[int]] = {}
    for row in images:
        if row["kind"] == "evolved" and row["generation"] is not None:
            bred.setdefault((row["thread"], row["generation"]), set()).add(row["image"])
    scored: dict[tuple[int, int], set[int]] = {}
    for row in scores:
        scored.setdefault((row["thread"], row["generation"]), set()).add(row["image"])
    for place, own in sorted(bred.items()):
        if place not in table.rows:
            times = [row["ordered_s"] for row in trials if (row["thread"], row["generation"]) == place]
            if not times:
                continue
            ended = max(
                (row["judged_s"] or row["ordered_s"])
                for row in trials
                if (row["thread"], row["generation"]) == place
            )
            whole = own <= scored.get(place, set())
            put(
                table,
                thread=place[0],
                generation=place[1],
                started_s=min(times),
                ended_s=ended if whole else None,
            )
            missing.append(f"the times of generation {place[1]} of thread {place[0]} (taken from its trials)")
        lost = own - scored.get(place, set())
        ended_at = table.index("ended_s")
        if lost and table.rows[place][ended_at] is not None:
            missing.append(
                f"the scores of {listed('image', sorted(lost))} in generation {place[1]} of thread {place[0]}"
            )
    return missing


def _gaps(tables: Rows) -> list[str]:
    """Numbers count up without a hole: what is not there was lost."""
    missing = []
    trials = sorted({int(row["trial"]) for row in dicts(tables["trials"])})
    said = [json.loads(str(text)).get("trial") for text in tables["markers"].column("payload")]
    numbers = [number for number in said if isinstance(number, int)]
    images, markers, events = (
        sorted(int(row[what]) for row in dicts(tables[f"{what}s"])) for what in ("image", "marker", "event")
    )
    for what, known, first, last in (
        ("trial", trials, min(numbers, default=trials[0] if trials else 0), max(numbers, default=-1)),
        ("image", images, images[0] if images else 0, -1),
        ("marker", markers, 1, -1),
        ("event", events, 1, -1),
    ):
        if known:
            gone = sorted(set(range(min(*known, first), max(*known, last) + 1)) - set(known))
            if gone:
                missing.append(listed(what, gone))
    streams: dict[tuple[int, str], list[int]] = {}
    for row in dicts(tables["chunks"]):
        streams.setdefault((row["run"], row["role"]), []).append(row["sequence"])
    for (run, role), sequence in sorted(streams.items()):
        gone = sorted(set(range(max(sequence) + 1)) - set(sequence))
        if gone:
            missing.append(
                f"{listed('chunk', gone)} of the {role} stream in run {run} (or lost while it ran)"
            )
    heard = {(row["run"], row["role"]) for row in dicts(tables["streams"])}
    for run, role in sorted(set(streams) - heard):
        missing.append(f"the description of the {role} stream in run {run}")
    return missing


def _protocol(meta: Table) -> dict[str, Any]:
    row = meta.rows.get(("protocol_json",))
    try:
        found = json.loads(str(row[1])) if row else {}
    except ValueError:
        return {}
    return found if isinstance(found, dict) else {}
