"""A recorded session, opened to answer for another one, trial by trial."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from closedloop.errors import RecordingError
from closedloop.ports import Float64
from closedloop.replay.following.lay import KEEP_ALIVE_S, Lay, Place, lay_answer, lay_covering, lay_spikes
from closedloop.replay.following.track import Track
from closedloop.replay.following.trials import LiveTrial, RecordedTrial, TrialMap
from closedloop.replay.recorded import Recorded, read_recorded
from closedloop.replay.recordings.chunks import Span, find_span, read_span
from closedloop.replay.recordings.recording import Block, RecordedStream
from closedloop.replay.recordings.session import MARKERS, TRIGGER, SessionRecording
from closedloop.session import SessionReader

HEARD_WITHIN_S = 0.08
"""From an onset to our knowing of it: what the marker takes on its way, on a busy machine as well."""
_BEFORE_S = 0.1  # read before the first window, for the sample that lies over its edge
_TAIL_S = 1.0  # of what came after a trial's windows


@dataclass(frozen=True)
class _Stream:
    described: RecordedStream
    kind: str
    spans: dict[int, Span]


class FollowedSession:
    """Recorded trials and their samples.

    Args:
        folder: the session folder, or its ``session.sqlite``.
        lag_s: how far behind the clock its streams shall be; None: what the windows need, and
            ``HEARD_WITHIN_S``.

    Attributes:
        session: its name.
        streams: as they were recorded; markers are not among them.
        trials: gives recorded trials to live ones.
        lag_s: how far behind the clock its streams must be, so that an onset is known before the samples
            that it needs are due.
        silence_s: a silence of spikes longer than this is no answer.

    Raises:
        RecordingError: there is nothing in it that could answer.
        SessionError: the session file can't be used.
    """

    def __init__(self, folder: Path, lag_s: float | None = None) -> None:
        recording = SessionRecording(folder)
        with SessionReader(folder) as reader, reader.snapshot():
            recorded = read_recorded(reader)
            self.session = reader.meta().get("session", reader.folder.name)
        self.path, self.duration_s = recording.path, recording.duration_s
        self._file = reader.path
        spec = recorded.protocol.response
        used, below = spec.window_in_use, spec.baseline_in_use
        windows = [used] if below is None else [used, below]
        self._edges_s = tuple(edge / 1000 for window in windows for edge in (window.start_ms, window.end_ms))
        # a baseline that is not subtracted is measured, but no score hangs on it
        relative = spec.subtract_baseline or (spec.volumes is not None and spec.volumes.percent_signal_change)
        scored = windows if relative else [used]
        self._score_from_s = min(window.start_ms for window in scored) / 1000
        self._per_trial = spec.kind == "trials"
        self.silence_s = spec.liveness.max_silence_ms / 1000
        self._streams = [
            self._stream(recorded, described)
            for described in recording.streams
            if described.role not in (MARKERS, TRIGGER)
        ]
        self.streams: Sequence[RecordedStream] = [stream.described for stream in self._streams]
        trials = _valid_trials(recorded)
        if not trials or not any(stream.described.role == "response" for stream in self._streams):
            why = "; ".join(f"{left.name}: {left.reason}" for left in recording.left_out)
            raise RecordingError(
                str(self.path),
                found="no valid trial with its samples" + (f" ({why})" if why else ""),
                expected="trials that can answer for those of the session that runs",
                remedy="Choose a session in which trials were valid.",
            )
        self.trials = TrialMap(trials)
        self._first_s = min(trial.onset_s for trial in trials)
        periods = [1 / stream.nominal_hz for stream in self.streams if stream.nominal_hz > 0]
        early_s = 0.0 if self._per_trial else max(0.0, -min(self._edges_s))
        needed_s = HEARD_WITHIN_S + early_s + 2 * max(periods, default=0.0)
        self.lag_s = needed_s if lag_s is None else lag_s
        late_s = spec.liveness_in_use.late_after_ms / 1000
        self.notes: Sequence[str] = []
        if self.lag_s + 0.05 > late_s:
            least_ms = (self.lag_s + 0.05) * 1000
            self.notes = [
                f"samples come {self.lag_s * 1000:.0f} ms after their time: the session that hears them needs "
                f"response.liveness.late_after_ms={least_ms:.0f} or more (it was {late_s * 1000:.0f})"
            ]

    @property
    def longest_s(self) -> float:
        """From an onset to the end of the last window."""
        return max(self._edges_s)

    @property
    def spikes(self) -> tuple[bool, ...]:
        """Of each stream, whether nothing but its silence could make a trial invalid."""
        return tuple(stream.kind == "spikes" for stream in self._streams)

    def track(self, stream: int) -> Track:
        """Return an empty track for a stream."""
        chosen = self._streams[stream]
        hz = chosen.described.nominal_hz
        step_s = 1 / hz if hz > 0 else KEEP_ALIVE_S
        return Track(_nothing(chosen), step_s, regular=hz > 0, any_time=chosen.kind == "trials")

    def lay(self, stream: int, recorded: RecordedTrial, live: LiveTrial) -> Lay | None:
        """Return a recorded trial's samples of one stream, where a live trial needs them.

        Returns:
            None if the recording does not reach over its windows.

        Raises:
            SessionError: the session file can't be read any further.
        """
        chosen = self._streams[stream]
        span = chosen.spans.get(recorded.run)
        if span is None:
            return None
        onset_s, shift_s = recorded.onset_s, live.onset_s - recorded.onset_s
        fixation = chosen.kind == "fixation"
        start_s = onset_s + (0.0 if fixation or self._per_trial else min(self._edges_s))
        end_s = max(onset_s + self.longest_s, recorded.judged_s if chosen.kind == "trials" else -np.inf)
        next_s = min(recorded.next_s + (start_s - onset_s), end_s + _TAIL_S)
        score_s = end_s if fixation else onset_s + self._score_from_s
        place = Place(recorded.run, start_s, score_s, end_s, next_s, shift_s)
        times_s, values = self._read(chosen, span, start_s - _BEFORE_S, max(end_s, next_s) + _BEFORE_S)
        if chosen.kind == "trials":
            return lay_answer(place, times_s, values, recorded.trial, live.trial)
        if chosen.kind == "spikes":
            edges_s = tuple(onset_s + edge_s for edge_s in self._edges_s)
            return lay_spikes(place, times_s, values, edges_s)
        return lay_covering(place, times_s, values)

    def position_s(self, recorded: RecordedTrial) -> float:
        """Return how far into the recording a trial is, for a person to see."""
        return min(max(0.0, recorded.onset_s - self._first_s), self.duration_s)

    # --- inside

    def _stream(self, recorded: Recorded, described: RecordedStream) -> _Stream:
        infos = {run: info for (run, role), info in recorded.streams.items() if role == described.role}
        kind = next(iter(infos.values())).kind
        if described.role == "fixation":
            kind = "fixation"
        if kind == "rates" and np.dtype(described.dtype).kind != "f":
            raise RecordingError(
                f"{described.role} stream '{described.name}'",
                found=f"rates as {described.dtype}",
                expected="floating-point numbers, since no whole number says that there is no answer",
                remedy="Play it without --follow.",
            )
        spans = {run: find_span(self._file, described.role, run) for run in infos}
        return _Stream(described, kind, {run: span for run, span in spans.items() if span is not None})

    def _read(
        self, stream: _Stream, span: Span, since_s: float, until_s: float
    ) -> tuple[Float64, npt.NDArray[Any]]:
        described = stream.described
        times = [np.empty(0)]
        values = [np.empty((0, described.channels), described.dtype)]
        with closing(read_span(self._file, span, described.channels, described.dtype, since_s)) as pieces:
            for piece in pieces:
                if isinstance(piece, Block):
                    times.append(piece.times_s)
                    values.append(piece.values)
                    if float(piece.times_s[0]) > until_s:
                        break
        every, all_values = np.concatenate(times), np.concatenate(values)
        inside = np.flatnonzero((every >= since_s) & (every <= until_s))
        order = inside[np.argsort(every[inside], kind="stable")]
        return every[order], all_values[order]


def _nothing(stream: _Stream) -> npt.NDArray[Any]:
    """Return a sample (channels,) by which no trial can be scored."""
    dtype = np.dtype(stream.described.dtype)
    if stream.kind == "fixation":
        value = np.nan if dtype.kind == "f" else 0.0  # unknown, or broken
    else:
        value = np.nan if dtype.kind == "f" else -1.0  # counts below 0 are refused by scoring
    fill = np.full(stream.described.channels, value, dtype)
    if stream.kind in ("spikes", "trials"):
        fill[0] = -1
    return fill


def _valid_trials(recorded: Recorded) -> list[RecordedTrial]:
    table = recorded.trials
    table = table[table["onset_s"].notna()].sort_values(["run", "onset_s"], ignore_index=True)
    following = table.groupby("run")["onset_s"].shift(-1).fillna(np.inf)
    return [
        RecordedTrial(
            trial=int(row["trial"]),
            run=int(row["run"]),
            thread=recorded.names[int(row["thread"])],
            generation=int(row["generation"]),
            image=int(row["image"]),
            onset_s=float(row["onset_s"]),
            judged_s=float(row["judged_s"]),
            next_s=float(next_s),
        )
        for row, next_s in zip(table.to_dict("records"), following, strict=True)
        if row["status"] == "valid"
    ]
