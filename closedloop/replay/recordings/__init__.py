"""Recordings that can be played again: a session's own file, or an XDF file by LabRecorder."""

from __future__ import annotations

from closedloop.replay.recordings.find import open_recording
from closedloop.replay.recordings.recording import Block, Damage, LeftOut, RecordedStream, Recording

__all__ = ["Block", "Damage", "LeftOut", "RecordedStream", "Recording", "open_recording"]
