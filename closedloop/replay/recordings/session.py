"""A session as a recording: its response and fixation streams and its markers.

Samples are on the session's own clock (raw stamp and the correction that held then), as are the markers.
An unfinished session, and one that still runs, is played as far as it went when it was opened.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from closedloop.errors import RecordingError
from closedloop.ports import Float64
from closedloop.replay.recordings.chunks import Span, find_span, read_span, recorded_roles
from closedloop.replay.recordings.description import from_xml
from closedloop.replay.recordings.due import Trim
from closedloop.replay.recordings.recording import Block, Damage, LeftOut, Piece, RecordedStream
from closedloop.replay.recordings.runs import UNRECORDED, Run, shifts
from closedloop.session import SessionReader

# as a session sends them (hardware.lsl.markers, which this layer does not know)
MARKERS = "markers"
MARKER_NAME = "closedloop-markers"
MARKER_TYPE = "Markers"
# what came on the trigger's path in scan runs, as it came
TRIGGER = "trigger"
TRIGGER_NAME = "closedloop-trigger"
_BLOCK_MARKERS = 256
_FORM = ("channels", "dtype", "nominal_hz")
_DESCRIBED = {"name", "type", "source_id", *_FORM}


class SessionRecording:
    """A session folder as a :class:`~closedloop.replay.recordings.recording.Recording`.

    Args:
        folder: the session folder, or its ``session.sqlite``.

    Raises:
        RecordingError: there is neither a sample nor a marker in it that can be played.
        SessionError: the session file can't be used.
    """

    def __init__(self, folder: Path) -> None:
        with SessionReader(folder) as reader:
            # looked at first: of a session that runs, what has samples by now is described by then
            roles = recorded_roles(reader.path)
            with reader.snapshot():
                self._open(reader, roles)

    def _open(self, reader: SessionReader, roles: Sequence[tuple[str, int]]) -> None:
        self.path = reader.folder
        self._file = reader.path
        session_id = reader.meta().get("session", reader.folder.name)
        runs, markers = reader.table("runs"), reader.table("markers")
        keys, infos = reader.table("streams"), reader.details("streams", "info")
        # run by run: a run after a restart of the machine is on a clock of its own
        pulses = reader.table("pulses").sort_values(["run", "time_s"], kind="stable")
        self._infos: dict[tuple[str, int], Mapping[str, Any]] = {
            (str(role), int(run)): info
            for role, run, info in zip(keys["role"], keys["run"], infos, strict=True)
        }
        self._spans, left_out = self._find_spans(roles)
        self.left_out: Sequence[LeftOut] = left_out
        times_s, marker_runs = markers["time_s"].to_numpy(), markers["run"].to_numpy()
        pulses_s, pulse_runs = pulses["time_s"].to_numpy(), pulses["run"].to_numpy()
        told = (np.concatenate([times_s, pulses_s]), np.concatenate([marker_runs, pulse_runs]))
        shift_s, notes = shifts(self._runs(runs.to_dict("records"), *told))
        self.notes: Sequence[str] = notes
        marker_times = times_s + _of_runs(shift_s, marker_runs)
        pulse_times = pulses_s + _of_runs(shift_s, pulse_runs)
        edges = [span.first_s + shift_s[span.run] for spans in self._spans.values() for span in spans]
        edges += pulse_times.tolist()
        if not edges and not len(marker_times):
            why = "; ".join(f"{left.name}: {left.reason}" for left in left_out)
            raise RecordingError(
                str(self.path),
                found="a session without a single sample or marker" + (f" to play ({why})" if why else ""),
                expected="neural samples or markers to play",
                remedy="Choose a session that got as far as hearing its streams.",
            )
        start_s = float(min([*edges, *marker_times]))
        self._shift_s = {run: by_s - start_s for run, by_s in shift_s.items()}
        self._texts: dict[str, tuple[Float64, list[str]]] = {
            MARKERS: (
                marker_times - start_s,
                [_marker_text(text, session_id) for text in markers["payload"]],
            ),
            TRIGGER: (pulse_times - start_s, [str(mark) for mark in pulses["mark"]]),
        }
        self.streams: Sequence[RecordedStream] = [
            *(self._describe(role) for role in self._spans),
            *(
                self._describe_texts(role, session_id)
                for role, (times, _) in self._texts.items()
                if len(times)
            ),
        ]
        self.duration_s = max(stream.last_s for stream in self.streams)

    def blocks(self, stream: int, since_s: float = 0.0) -> Iterator[Piece]:
        """See ``Recording``."""
        chosen = self.streams[stream]
        trim = Trim(since_s)
        pieces = (
            self._text_blocks(chosen.role) if chosen.role in self._texts else self._samples(chosen, since_s)
        )
        for piece in pieces:
            kept = piece if isinstance(piece, Damage) else trim(piece)
            if kept is not None:
                yield kept

    def _samples(self, stream: RecordedStream, since_s: float) -> Iterator[Piece]:
        for span in self._spans[stream.role]:
            by_s = self._shift_s[span.run]
            if span.last_s + by_s < since_s:
                continue
            for piece in read_span(self._file, span, stream.channels, stream.dtype, since_s - by_s):
                yield piece if isinstance(piece, Damage) else Block(piece.times_s + by_s, piece.values)

    def _text_blocks(self, role: str) -> Iterator[Piece]:
        times, texts = self._texts[role]
        for first in range(0, len(texts), _BLOCK_MARKERS):
            part = slice(first, first + _BLOCK_MARKERS)
            yield Block(times[part], np.array(texts[part], dtype=object)[:, None])

    def _find_spans(self, roles: Sequence[tuple[str, int]]) -> tuple[dict[str, list[Span]], list[LeftOut]]:
        """Return the spans of each role, run by run, and what can't be played; ``roles`` have samples."""
        found: dict[str, list[Span]] = {}
        left_out: list[LeftOut] = []
        for role, run in sorted({*self._infos, *roles}):
            info = self._infos.get((role, run))
            span = find_span(self._file, role, run)
            if info is None or not info.keys() >= _DESCRIBED:
                reason = "its description is lost, so its name, type or rate is not known"
                left_out.append(LeftOut(f"{role} of run {run}", reason))
            elif span is None:
                left_out.append(LeftOut(f"{role} of run {run}", "it holds no samples"))
            elif role in found and not self._same_form(info, role, found[role][0].run):
                reason = "its channels, type or rate are not those of the stream in the run before"
                left_out.append(LeftOut(f"{role} of run {run}", reason))
            else:
                found.setdefault(role, []).append(span)
        return found, left_out

    def _same_form(self, info: Mapping[str, Any], role: str, run: int) -> bool:
        first = self._infos[role, run]
        return all(info[key] == first[key] for key in _FORM)

    def _runs(
        self, rows: Sequence[Mapping[Any, Any]], times_s: Float64, told_runs: np.ndarray[Any, Any]
    ) -> list[Run]:
        """Return the runs that have a sample, or of which markers or pulses (``times_s``) are."""
        started = {int(row["run"]): (float(row["started_s"]), str(row["started_utc"])) for row in rows}
        spans = [span for spans in self._spans.values() for span in spans]
        runs = []
        for run in sorted({span.run for span in spans} | set(map(int, told_runs))):
            edges = [edge for span in spans if span.run == run for edge in (span.first_s, span.last_s)]
            edges += times_s[told_runs == run].tolist()
            runs.append(Run(run, *started.get(run, UNRECORDED), first_s=min(edges), last_s=max(edges)))
        return runs

    def _describe(self, role: str) -> RecordedStream:
        spans = self._spans[role]
        info = self._infos[role, spans[0].run]
        desc, facts = from_xml(str(info.get("xml", "")))
        return RecordedStream(
            role=role,
            name=str(info["name"]),
            type=str(info["type"]),
            source_id=str(info["source_id"]),
            nominal_hz=float(info["nominal_hz"]),
            channels=int(info["channels"]),
            dtype=str(info["dtype"]),
            first_s=spans[0].first_s + self._shift_s[spans[0].run],
            last_s=spans[-1].last_s + self._shift_s[spans[-1].run],
            desc=desc,
            facts={
                key: facts[key] for key in ("hostname", "uid", "session_id", "created_at") if facts.get(key)
            },
        )

    def _describe_texts(self, role: str, session_id: str) -> RecordedStream:
        times, _ = self._texts[role]
        name, source_id = MARKER_NAME, f"closedloop-{session_id}"
        if role == TRIGGER:
            name, source_id = TRIGGER_NAME, f"closedloop-trigger-{session_id}"
        span_s = (float(times.min()), float(times.max()))
        return RecordedStream(role, name, MARKER_TYPE, source_id, 0.0, 1, "string", *span_s)


def _of_runs(shift_s: Mapping[int, float], runs: np.ndarray[Any, Any]) -> Float64:
    return np.array([shift_s[int(run)] for run in runs], dtype=np.float64)


def _marker_text(stored: str, session_id: str) -> str:
    """Return a marker as it was sent: JSON, with null where a number was missing."""
    try:
        payload = json.loads(stored, parse_constant=lambda _: None)
        named = {"event": "unknown", "session": session_id, **payload}
    except (ValueError, TypeError):
        return stored  # a broken record is played as it stands
    return json.dumps(named, ensure_ascii=False)
