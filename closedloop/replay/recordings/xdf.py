"""Recordings by LabRecorder (XDF), read with pyxdf.

Stamps are those of the file, brought onto the recorder's clock by the clock offsets that the file holds
(pyxdf's robust line through them, one line for each stretch between resets of a sender's clock). Without
that the streams of two machines could not be played side by side. Nothing else is done to them: no jitter
is removed, no gap filled. pyxdf has no way to read in parts, so the whole file is in memory.
"""

from __future__ import annotations

import logging
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import psutil
import pyxdf

from closedloop.errors import RecordingError
from closedloop.ports import Float64
from closedloop.replay.recordings.description import from_lists
from closedloop.replay.recordings.due import Trim, due_times
from closedloop.replay.recordings.recording import Block, LeftOut, Piece, RecordedStream

_BLOCK_SAMPLES = 2048
_BACKWARDS_S = 1.0  # stamps of one clock are never that much out of order; then it was set anew
_QUIET_S = 60.0  # a silence in all streams that is worth a word
_DTYPES = {"float32", "double64", "string", "int8", "int16", "int32", "int64"}
_FACTS = ("hostname", "uid", "session_id", "created_at", "version")


class XdfRecording:
    """An XDF file as a :class:`~closedloop.replay.recordings.recording.Recording`.

    Args:
        path: of the file.

    Raises:
        RecordingError: it can't be read, or no stream in it can be played.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        found, complaints = _load(path)
        self.notes: Sequence[str] = [f"pyxdf says: {text}" for text in complaints]
        left_out: list[LeftOut] = []
        playable: list[Mapping[str, Any]] = []
        for stream in found:
            reason = _why_not(stream)
            if reason is None:
                playable.append(stream)
            else:
                left_out.append(LeftOut(_text(stream, "name") or "(no name)", reason))
        self.left_out: Sequence[LeftOut] = left_out
        if not playable:
            raise _nothing(path, left_out)
        start_s = min(float(np.min(stream["time_stamps"])) for stream in playable)
        self._times: list[Float64] = [stream["time_stamps"] - start_s for stream in playable]
        self._values = [_values(stream) for stream in playable]
        self.streams: Sequence[RecordedStream] = [
            _describe(stream, times) for stream, times in zip(playable, self._times, strict=True)
        ]
        self.duration_s = max(float(np.max(times)) for times in self._times)
        self.notes = [*self.notes, *_clock_notes(playable), *_quiet_notes(self._times)]

    def blocks(self, stream: int, since_s: float = 0.0) -> Iterator[Piece]:
        """See ``Recording``."""
        times, values = self._times[stream], self._values[stream]
        trim = Trim(since_s)
        for first in range(0, len(times), _BLOCK_SAMPLES):
            part = slice(first, first + _BLOCK_SAMPLES)
            block = trim(Block(times[part], values[part]))
            if block is not None:
                yield block


def _load(path: Path) -> tuple[list[dict[str, Any]], list[str]]:
    size, free = path.stat().st_size, psutil.virtual_memory().available
    if size > free:
        raise RecordingError(
            str(path),
            found=f"{size / 1e9:.1f} GB",
            expected=f"a file that fits into the {free / 1e9:.1f} GB of free memory, since XDF is read at once",
            remedy="Use a machine with more memory, or record in shorter files.",
        )
    with _listening() as complaints:
        try:
            streams, _ = pyxdf.load_xdf(
                path, synchronize_clocks=True, handle_clock_resets=True, dejitter_timestamps=False
            )
        except Exception as error:  # whatever pyxdf trips over, the file is what is wrong
            raise RecordingError(
                str(path),
                found=f"what pyxdf can't read ({type(error).__name__}: {error})",
                expected="an XDF file, such as LabRecorder writes",
                remedy="Try another copy of the file.",
            ) from error
    return streams, complaints


@contextmanager
def _listening() -> Iterator[list[str]]:
    """Collect what pyxdf has to say instead of letting it onto the screen."""
    said: list[str] = []

    class _Listener(logging.Handler):
        def emit(self, record: logging.LogRecord) -> None:
            text = record.getMessage()
            # it compares segments that only its dejitter would set: no news
            if text not in said and "clock-segments differ" not in text:
                said.append(text)

    logger, listener = logging.getLogger("pyxdf"), _Listener(logging.WARNING)
    before = logger.propagate
    logger.propagate = False
    logger.addHandler(listener)
    try:
        yield said
    finally:
        logger.removeHandler(listener)
        logger.propagate = before


def _why_not(stream: Mapping[str, Any]) -> str | None:
    """Return why a stream can't be played, or None if it can."""
    stamps = stream["time_stamps"]
    form = _text(stream, "channel_format")
    if len(stamps) == 0:
        return "it holds no samples"
    if form not in _DTYPES:
        return f"its values are of type '{form}', which LSL does not have"
    if int(_text(stream, "channel_count")) < 1:
        return "it has no channels"
    if not np.isfinite(stamps).all():
        return f"{np.count_nonzero(~np.isfinite(stamps))} of its stamps are no numbers"
    back = int(np.argmin(np.diff(stamps))) if len(stamps) > 1 else 0
    if len(stamps) > 1 and stamps[back + 1] - stamps[back] < -_BACKWARDS_S:
        return (
            f"its stamps jump back by {stamps[back] - stamps[back + 1]:.3f} s at sample {back + 1}, and the "
            "file's clock offsets don't tell how long that truly was"
        )
    return None


def _describe(stream: Mapping[str, Any], times_s: Float64) -> RecordedStream:
    facts = {key: _text(stream, key) for key in _FACTS}
    form = _text(stream, "channel_format")
    return RecordedStream(
        role="",
        name=_text(stream, "name") or "untitled",  # LSL has no stream without a name
        type=_text(stream, "type"),
        source_id=_text(stream, "source_id"),
        nominal_hz=float(_text(stream, "nominal_srate") or 0.0),
        channels=int(_text(stream, "channel_count")),
        dtype="float64" if form == "double64" else form,
        first_s=float(times_s[0]),
        last_s=float(due_times(times_s)[-1]),
        desc=from_lists(stream["info"].get("desc", [None])[0]),
        facts={key: text for key, text in facts.items() if text},
    )


def _values(stream: Mapping[str, Any]) -> np.ndarray[Any, Any]:
    series = stream["time_series"]
    return series if isinstance(series, np.ndarray) else np.array(series, dtype=object)


def _clock_notes(streams: Sequence[Mapping[str, Any]]) -> list[str]:
    notes = []
    for stream in streams:
        name, stretches = _text(stream, "name"), len(stream["info"]["clock_segments"])
        if not stream["clock_times"]:
            notes.append(f"'{name}' has no clock offsets in the file: its stamps are taken as they are")
        elif stretches > 1:
            resets = "once" if stretches == 2 else f"{stretches - 1} times"
            notes.append(
                f"the clock of '{name}' was set anew {resets}; each stretch is placed by its own offsets"
            )
    return notes


def _quiet_notes(times: Sequence[Float64]) -> list[str]:
    together = np.sort(np.concatenate(times))
    silence = np.diff(together)
    at = np.flatnonzero(silence > _QUIET_S)
    return [f"no stream has a sample between {together[i]:.1f} and {together[i + 1]:.1f} s" for i in at]


def _text(stream: Mapping[str, Any], key: str) -> str:
    """Return one entry of a stream's header; empty where it is missing or is no text."""
    entry = stream["info"].get(key, [""])
    text = entry[0] if isinstance(entry, list) and entry else entry
    return text.strip() if isinstance(text, str) else ""


def _nothing(path: Path, left_out: Sequence[LeftOut]) -> RecordingError:
    why = "; ".join(f"'{item.name}': {item.reason}" for item in left_out)
    return RecordingError(
        str(path),
        found=f"nothing to play ({why})" if why else "no stream at all",
        expected="at least one stream with samples",
        remedy="See in the recording software whether the streams were chosen and were sending.",
    )
