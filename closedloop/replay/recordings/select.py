"""Some of a recording's streams, as a recording of its own on the same time."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from closedloop.errors import RecordingError
from closedloop.replay.recordings.recording import Piece, RecordedStream, Recording


def only(recording: Recording, wanted: Sequence[str]) -> Recording:
    """Return a recording of the streams that have one of these names, roles or source ids.

    Args:
        recording: the whole.
        wanted: names, roles or source ids.

    Raises:
        RecordingError: there is no stream for one of them.
    """
    for word in wanted:
        if not any(word in _names(stream) for stream in recording.streams):
            there = ", ".join(f"'{stream.name}'" for stream in recording.streams)
            raise RecordingError(
                str(recording.path),
                found=f"no stream '{word}', but {there}",
                expected="the name, role or source id of a stream that can be played",
                remedy="Name one of these.",
            )
    return _Selection(recording, wanted)


class _Selection:
    def __init__(self, recording: Recording, wanted: Sequence[str]) -> None:
        self._recording = recording
        self._chosen = [
            index for index, stream in enumerate(recording.streams) if _names(stream) & set(wanted)
        ]
        self.path = recording.path
        self.left_out = recording.left_out
        self.notes = recording.notes
        self.duration_s = recording.duration_s
        self.streams: Sequence[RecordedStream] = [recording.streams[index] for index in self._chosen]

    def blocks(self, stream: int, since_s: float = 0.0) -> Iterator[Piece]:
        return self._recording.blocks(self._chosen[stream], since_s)


def _names(stream: RecordedStream) -> set[str]:
    return {stream.name, stream.role, stream.source_id} - {""}
