"""How well the streams were heard: state, delay, clock, and whether anything was lost."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd

from closedloop.report.blocks import Block, Figure, Remark, Section, Table, Text
from closedloop.report.figures.histogram import draw_delays
from closedloop.report.figures.streams import ClockTrack, Span, draw_clock, draw_states
from closedloop.report.material import Material
from closedloop.report.words import NONE, count, duration, listed, moment, quantity, share, times

TITLE = "Streams"


def section(material: Material) -> Section:
    """Return the section about all streams of the session."""
    infos = material.reader.details("streams", "info")
    if not infos:
        return Section("streams", TITLE, [Remark("No stream was opened.", "warning")])
    chunks = material.reader.table("chunks")
    probes = material.reader.table("clock_probes")
    blocks: list[Block] = [_described(material, infos)]
    blocks += _states(material)
    blocks += _losses(chunks)
    blocks += _delays(material, chunks)
    blocks += _clock(material, probes)
    return Section("streams", TITLE, blocks)


def spans_by_role(material: Material) -> dict[str, list[Span]]:
    """Return the states of each stream as spans of seconds from the session's start."""
    changes = material.reader.table("stream_states")
    changes["at_s"] = changes["time_s"] - changes["run"].map(material.zero)
    runs: list[Any] = [int(run) for run in material.runs["run"]]
    starts, ends = (
        {
            run: material.from_start_s(float(time_s), run)
            for run, time_s in zip(runs, material.runs[name], strict=True)
        }
        for name in ("started_s", "ended_s")
    )
    found: dict[str, list[Span]] = {}
    for (role, run), group in changes.sort_values("at_s").groupby(["role", "run"]):
        later = [start for start in starts.values() if start > starts.get(run, -np.inf)]
        end_s = ends.get(run, float("nan"))
        if not np.isfinite(end_s):  # no end recorded: until the next run, or the last thing known
            end_s = min([*later, max(material.ends_s.get(run, 0.0), float(group["at_s"].max()))])
        times = [*group["at_s"].tolist(), end_s]
        for state, start, stop in zip(group["state"], times[:-1], times[1:], strict=True):
            begin_s = max(start, 0.0)  # the stream is opened before the session begins
            span = Span(str(state), begin_s, max(stop, begin_s))
            if span.end_s > span.start_s:
                found.setdefault(str(role), []).append(span)
    return found


def live_share(material: Material) -> float:
    """Return for which share of the recorded time the response stream was live; NaN if unknown."""
    spans = spans_by_role(material).get("response", [])
    whole = sum(span.end_s - span.start_s for span in spans)
    return sum(s.end_s - s.start_s for s in spans if s.state == "live") / whole if whole > 0 else float("nan")


def _described(material: Material, infos: list[dict[str, Any]]) -> Table:
    runs = material.reader.table("streams")["run"].tolist()
    rows = [
        [
            str(run),
            str(info.get("role", "")),
            str(info.get("name", "")),
            str(info.get("kind", "")),
            str(info.get("source_id", "")) or NONE,
            f"{info['nominal_hz']:g} Hz" if info.get("nominal_hz") else "irregular",
            f"{info.get('channels', NONE)} × {info.get('dtype', '')}",  # noqa: RUF001 - a times sign is what is meant
        ]
        for run, info in zip(runs, infos, strict=True)
    ]
    return Table(("run", "role", "name", "kind", "source id", "rate", "channels"), rows)


def _states(material: Material) -> list[Block]:
    spans = spans_by_role(material)
    if not spans:
        return [Remark("No state of a stream was recorded.")]
    sentences = []
    for role, own in spans.items():
        whole = sum(span.end_s - span.start_s for span in own)
        live = sum(span.end_s - span.start_s for span in own if span.state == "live")
        lost = [span for span in own if span.state == "lost"]
        sentence = f"The {role} stream was live for {share(live, whole)} of {duration(whole)}"
        if lost:
            when = [moment(span.start_s) for span in lost[:5]]
            sentence += (
                f" and lost {times(len(lost))} (at {listed(when)}{' and later' if len(lost) > 5 else ''} min)"
            )
        sentences.append(sentence + ".")
    text = " ".join(sentences)
    return [Figure(draw_states(spans), text, text + " Trials are shown only while all streams are live.")]


def _losses(chunks: pd.DataFrame) -> list[Block]:
    if chunks.empty:
        return [Remark("No sample was recorded.", "warning")]
    sentences, lost = [], False
    for role, group in chunks.groupby("role"):
        holes = 0
        for _, run in group.groupby("run"):
            sequence = run["sequence"]
            holes += int(sequence.max() - sequence.min() + 1 - sequence.nunique())
        lost |= holes > 0
        segments = group[["run", "segment"]].drop_duplicates()
        sentence = f"{role}: {count(int(group['samples'].sum()), 'sample')} in {count(len(group), 'chunk')}"
        sentence += f", {count(len(segments), 'segment')} (a gap or a restarted source begins a new one)"
        sentence += f"; {count(holes, 'chunk')} of the sequence {'is' if holes < 2 else 'are'} missing."
        sentences.append(sentence)
    text = " ".join(sentences)
    return [Remark(text, "warning") if lost else Text(text)]


def _delays(material: Material, chunks: pd.DataFrame) -> list[Block]:
    # what was heard before its run's file was opened had to wait for it
    started_s = chunks["run"].map(material.runs.set_index("run")["started_s"])
    response = chunks[(chunks["role"] == "response") & (chunks["received_s"] >= started_s)]
    if response.empty:
        return []
    delays = {
        "newest sample to received": 1000 * (response["received_s"] - response["last_s"]).to_numpy(float),
        "newest sample to written in the file": 1000
        * (response["written_s"] - response["last_s"]).to_numpy(float),
    }
    stats = "; ".join(
        f"{name}: median {np.median(d):.2f} ms, 99 % within {np.percentile(d, 99):.2f} ms"
        for name, d in delays.items()
    )
    caption = f"Age of the newest sample of each chunk of the response stream (n = {len(response):,} chunks). {stats}."
    return [Figure(draw_delays(delays), stats, caption)]


def _clock(material: Material, probes: pd.DataFrame) -> list[Block]:
    if probes.empty:
        return [Remark("The streams' clocks were never measured.")]
    tracks, rows = [], []
    for (role, run, segment), group in probes.groupby(["role", "run", "segment"]):
        offsets_ms = 1000 * group["offset_s"].to_numpy(float)
        uncertainty_ms = 1000 * group["uncertainty_s"].to_numpy(float)
        label = f"{role}, run {run}, segment {segment}"
        from_start_s = group["time_s"].to_numpy(float) - material.zero.get(run, 0.0)
        tracks.append(ClockTrack(label, from_start_s, offsets_ms, uncertainty_ms))
        spread = float(offsets_ms.max() - offsets_ms.min())
        rows.append(
            [
                label,
                f"{len(group):,}",
                quantity(float(np.median(offsets_ms)), "ms", 6),
                quantity(spread, "ms"),
                quantity(float(np.median(uncertainty_ms)), "ms"),
            ]
        )
    caption = f"Measured offset of the sender's clock, with the uncertainty of each measurement (n = {len(probes):,})."
    header = ("stream", "probes", "median offset", "range", "median uncertainty")
    return [
        Figure(draw_clock(tracks[:8]), caption, caption),
        Table(header, rows[:40], numeric=(1, 2, 3, 4)),
    ]
