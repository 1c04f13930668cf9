from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from xdf_factory import XdfStream, write_xdf

from closedloop.errors import RecordingError
from closedloop.replay.recordings import Block, Recording, open_recording
from closedloop.replay.recordings.select import only

SAMPLES = Path(__file__).resolve().parents[4] / "shared" / "data" / "xdf"


def _sample(name: str) -> Recording:
    path = SAMPLES / name
    if not path.exists():
        pytest.skip(f"the sample recordings are not there ({path})")
    return open_recording(path)


def _all(recording: Recording, stream: int, since_s: float = 0.0) -> Block:
    pieces = list(recording.blocks(stream, since_s))
    blocks = [piece for piece in pieces if isinstance(piece, Block)]
    assert len(blocks) == len(pieces)
    return Block(
        np.concatenate([block.times_s for block in blocks]),
        np.concatenate([block.values for block in blocks]),
    )


def test_the_minimal_sample_file_has_numbers_and_strings() -> None:
    recording = _sample("minimal.xdf")
    numbers, strings = recording.streams
    assert (numbers.name, numbers.type, numbers.dtype, numbers.channels) == ("SendDataC", "EEG", "int16", 3)
    assert (strings.name, strings.dtype) == ("SendDataString", "string")
    first = _all(recording, 0)
    assert first.values.shape == (9, 3)
    np.testing.assert_allclose(np.diff(first.times_s), 0.1, atol=1e-9)
    assert _all(recording, 1).values[1, 0] == "Hello"
    # its clock offset is -0.1 s, the other one has none
    assert strings.first_s - numbers.first_s == pytest.approx(0.1)
    assert any("SendDataString" in note and "no clock offsets" in note for note in recording.notes)


def test_clock_resets_of_the_sample_file_are_bridged_and_its_gap_is_kept() -> None:
    recording = _sample("clock_resets.xdf")
    markers, samples = recording.streams
    assert (markers.source_id, samples.source_id) == ("myuidw43536", "myuid34234")
    played = _all(recording, 1)
    assert len(played.times_s) == 27815
    assert len(_all(recording, 0).times_s) == 175
    steps = np.diff(played.times_s)
    assert steps.min() > 0
    assert np.flatnonzero(steps > 0.1).tolist() == [12875]  # where the machine was restarted
    assert steps[12875] == pytest.approx(273.556, abs=1e-3)
    assert np.median(steps) == pytest.approx(0.0105, abs=1e-3)  # as recorded: not the nominal 10 ms
    assert len(recording.notes) == 3


def test_empty_streams_of_the_sample_file_are_named_and_left_out() -> None:
    recording = _sample("empty_streams.xdf")
    assert [stream.name for stream in recording.streams] == ["Data stream: test stream 0 counter", "ctrl"]
    assert {left.reason for left in recording.left_out} == {"it holds no samples"}
    assert len(recording.left_out) == 2
    desc = recording.streams[0].desc
    assert desc is not None
    assert desc.findtext("channels/channel/label") == "ch:00"


def test_streams_of_two_machines_are_put_onto_the_recorders_clock(tmp_path: Path) -> None:
    stamps = np.arange(100) / 50
    here = XdfStream("here", 500 + stamps, [[i] for i in range(100)], offsets=[(500.0, 0.0), (502.0, 0.0)])
    there = XdfStream(
        "there",
        90000 + stamps,
        [[i] for i in range(100)],
        offsets=[(90000.0, -89499.75), (90002.0, -89499.75)],
    )
    recording = open_recording(write_xdf(tmp_path / "two.xdf", [here, there]))
    np.testing.assert_allclose(_all(recording, 0).times_s, stamps, atol=1e-6)
    np.testing.assert_allclose(_all(recording, 1).times_s, stamps + 0.25, atol=1e-6)
    assert recording.duration_s == pytest.approx(2.23)


def test_jitter_and_small_steps_back_stay_as_recorded(tmp_path: Path) -> None:
    stamps = [1.0, 1.0101, 1.0099, 1.05, 1.0499, 1.06]
    stream = XdfStream("jitter", stamps, [[i] for i in range(6)], form="int32", rate_hz=100.0)
    recording = open_recording(write_xdf(tmp_path / "jitter.xdf", [stream]))
    np.testing.assert_allclose(_all(recording, 0).times_s, np.array(stamps) - 1.0, atol=1e-9)
    # the sample stamped 1.0499 is due with the one before it, and so is not cut off from it
    assert _all(recording, 0, since_s=0.0499999).values[:, 0].tolist() == [3, 4, 5]


def test_a_clock_set_back_without_offsets_leaves_its_stream_out(tmp_path: Path) -> None:
    reset = XdfStream("reset", [100.0, 101.0, 3.0, 4.0], [[0]] * 4)
    sound = XdfStream("sound", [1.0, 2.0], [[0]] * 2)
    recording = open_recording(write_xdf(tmp_path / "reset.xdf", [reset, sound]))
    assert [stream.name for stream in recording.streams] == ["sound"]
    assert recording.left_out[0].name == "reset"
    assert "jump back by 98.000 s at sample 2" in recording.left_out[0].reason


def test_a_recording_without_anything_to_play_says_why(tmp_path: Path) -> None:
    path = write_xdf(tmp_path / "nothing.xdf", [XdfStream("silent", [], [])])
    with pytest.raises(RecordingError, match="nothing to play \\('silent': it holds no samples\\)"):
        open_recording(path)


def test_a_truncated_file_is_played_as_far_as_it_goes(tmp_path: Path) -> None:
    stream = XdfStream("cut", np.arange(200) / 100, [[i] for i in range(200)])
    path = write_xdf(tmp_path / "cut.xdf", [stream])
    path.write_bytes(path.read_bytes()[:-300])
    recording = open_recording(path)
    assert _all(recording, 0).values[:, 0].tolist() == list(range(150))
    assert any("pyxdf says" in note for note in recording.notes)


@pytest.mark.parametrize(
    "content", [b"", b"XDF", b"SQLite format 3\0" * 20, b"XDF:\x01\x09\x02\x00garbage" * 3]
)
def test_what_is_no_xdf_is_refused(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "other.xdf"
    path.write_bytes(content)
    with pytest.raises(RecordingError) as caught:
        open_recording(path)
    assert str(path) in str(caught.value)


def test_files_of_another_kind_and_missing_ones_are_refused(tmp_path: Path) -> None:
    (tmp_path / "notes.txt").write_text("no recording")
    for name in ("notes.txt", "missing.xdf"):
        with pytest.raises(RecordingError, match="LabRecorder"):
            open_recording(tmp_path / name)


def test_streams_can_be_chosen_by_name_or_source_id(tmp_path: Path) -> None:
    streams = [XdfStream(name, [1.0, 2.0], [[0]] * 2, source_id=f"id-{name}") for name in ("a", "b", "c")]
    recording = open_recording(write_xdf(tmp_path / "three.xdf", streams))
    chosen = only(recording, ["c", "id-a"])
    assert [stream.name for stream in chosen.streams] == ["a", "c"]
    assert len(_all(chosen, 1).times_s) == 2
    with pytest.raises(RecordingError, match="no stream 'd', but 'a', 'b', 'c'"):
        only(recording, ["d"])
