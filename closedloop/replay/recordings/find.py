"""Tells which kind of recording a path means."""

from __future__ import annotations

from pathlib import Path

from closedloop.errors import RecordingError
from closedloop.replay.recordings.recording import Recording
from closedloop.replay.recordings.session import SessionRecording
from closedloop.session.database import FILE_NAME
from closedloop.session.soundness import damage_told

_XDF_ENDINGS = (".xdf", ".xdfz", ".xdf.gz")


def open_recording(path: Path) -> Recording:
    """Open what is to be played.

    Args:
        path: a session folder, its ``session.sqlite``, or an XDF file (``.xdf``, ``.xdfz``, ``.xdf.gz``).

    Raises:
        RecordingError: it is neither, is damaged, or has nothing in it to play.
        SessionError: the session file can't be used.
    """
    if path.is_dir() or path.name == FILE_NAME:
        with damage_told(path):
            return SessionRecording(path)
    if not path.exists():
        raise _unknown(path, "no such file or folder")
    if path.name.lower().endswith(_XDF_ENDINGS):
        # XDF costs an import that sessions can do without
        from closedloop.replay.recordings.xdf import XdfRecording

        return XdfRecording(path)
    raise _unknown(path, "a file of another kind")


def _unknown(path: Path, found: str) -> RecordingError:
    return RecordingError(
        str(path),
        found=found,
        expected=f"a session folder with {FILE_NAME} in it, or an XDF file (.xdf, .xdfz, .xdf.gz)",
        remedy="Give the folder that `closedloop run` made, or the file that LabRecorder made.",
    )
