from __future__ import annotations

from pathlib import Path

from session_factory import SessionPlan, write_session

from closedloop.ports import Marker
from closedloop.replay.recordings import Block, open_recording
from closedloop.replay.recordings.session import MARKER_NAME, MARKER_TYPE
from closedloop.session import SessionReader
from hardware.lsl import markers as sender


def test_markers_read_as_a_session_sends_them(tmp_path: Path) -> None:
    folder = write_session(tmp_path / "s", SessionPlan(generations=1, samples=False))
    with SessionReader(folder) as reader:
        times_s = reader.table("markers")["time_s"]
        payloads = reader.details("markers", "payload")
    recording = open_recording(folder)
    expected = [
        sender.payload_text(Marker(time_s, payload), "s")
        for time_s, payload in zip(times_s, payloads, strict=True)
    ]
    played = [
        text for block in recording.blocks(0) if isinstance(block, Block) for text in block.values[:, 0]
    ]
    assert played == expected
    assert (MARKER_NAME, MARKER_TYPE) == (sender.STREAM_NAME, sender.STREAM_TYPE)
    assert recording.streams[0].source_id == sender.source_id("s")
