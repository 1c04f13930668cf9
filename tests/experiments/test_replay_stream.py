from __future__ import annotations

import contextlib
import json
import os
import pty
import subprocess
import sys
import threading
import time
import uuid
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pylsl
import pytest
from session_factory import SessionPlan, write_session
from xdf_factory import XdfStream, write_xdf

from closedloop.errors import RecordingError
from closedloop.ports import Chunk
from closedloop.protocol.models import Response
from closedloop.replay.recordings import Block, open_recording
from experiments.playback_display import plain_line
from experiments.replay_stream import stream_recording
from hardware.lsl.player import Player
from hardware.lsl.player_records import PlayOptions, PlayStatus
from hardware.lsl.proxy import LslLink

_CALL = (
    "import json, sys; from pathlib import Path; from experiments.replay_stream import stream_recording; "
    + ("stream_recording(Path(sys.argv[1]), **json.loads(sys.argv[2]))")
)
Play = Callable[..., "subprocess.Popen[str]"]


@dataclass
class Heard:
    stamps_s: np.ndarray[Any, np.dtype[np.float64]]
    values: list[list[Any]]
    arrived_s: np.ndarray[Any, np.dtype[np.float64]]


class Listener(threading.Thread):
    """Hears one stream from its first sample until it ends or falls silent."""

    def __init__(self, found: pylsl.StreamInfo, most: int | None = None) -> None:
        super().__init__(daemon=True)
        self.inlet = pylsl.StreamInlet(found, recover=False)
        self.info = self.inlet.info(timeout=5)
        self.inlet.open_stream(timeout=5)
        self.most = most
        self.samples: list[tuple[float, float, list[Any]]] = []
        self.start()

    def run(self) -> None:
        with contextlib.suppress(pylsl.util.LostError):
            while self.most is None or len(self.samples) < self.most:
                values, stamp_s = self.inlet.pull_sample(timeout=2.0)
                if stamp_s is None and self.samples:
                    return
                if stamp_s is not None:
                    self.samples.append((stamp_s, pylsl.local_clock(), values))

    def heard(self, timeout_s: float = 30.0) -> Heard:
        self.join(timeout_s)
        assert not self.is_alive()
        return Heard(
            np.array([sample[0] for sample in self.samples]),
            [sample[2] for sample in self.samples],
            np.array([sample[1] for sample in self.samples]),
        )


def _listen(*source_ids: str, most: int | None = None) -> list[Listener]:
    # all are found before the first is opened: playing begins soon after that
    found = [pylsl.resolve_byprop("source_id", source_id, timeout=15)[0] for source_id in source_ids]
    return [Listener(info, most) for info in found]


@pytest.fixture
def play() -> Iterator[Play]:
    """Play a recording in a process of its own."""
    with contextlib.ExitStack() as stack:

        def start(path: Path, **options: object) -> subprocess.Popen[str]:
            options = {"wait_for_listener": True, **options}
            process = subprocess.Popen(
                [sys.executable, "-c", _CALL, str(path), json.dumps(options)],
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                stderr=subprocess.PIPE,
                text=True,
            )
            stack.callback(process.wait)
            stack.callback(process.kill)
            return process

        yield start


@pytest.fixture
def session(tmp_path: Path) -> Path:
    """A short session whose source id is its own, so that tests at the same time don't hear each other."""
    return _own(write_session(tmp_path / f"s-{uuid.uuid4().hex[:8]}", SessionPlan(generations=1)))


def _own(folder: Path) -> Path:
    import sqlite3

    with sqlite3.connect(folder / "session.sqlite") as connection:
        connection.execute(
            "UPDATE streams SET info = json_set(info, '$.source_id', ?)", (f"response-{folder.name}",)
        )
    return folder


def _recorded(path: Path, stream: int) -> Block:
    blocks = [piece for piece in open_recording(path).blocks(stream) if isinstance(piece, Block)]
    return Block(
        np.concatenate([block.times_s for block in blocks]),
        np.concatenate([block.values for block in blocks]),
    )


def _apart_s(heard: Heard, recorded: Block, speed: float) -> np.ndarray[Any, Any]:
    return np.abs(np.diff(heard.stamps_s) - np.diff(recorded.times_s) / speed)


@pytest.mark.lsl
@pytest.mark.parametrize("speed", [1.0, 10.0])
def test_a_session_arrives_as_it_was_recorded(session: Path, play: Play, speed: float) -> None:
    process = play(session, speed=speed)
    listeners = _listen(f"response-{session.name}", f"closedloop-{session.name}")
    for stream, listener in enumerate(listeners):
        heard, recorded = listener.heard(), _recorded(session, stream)
        assert heard.values == recorded.values.tolist()  # all, once, in order
        assert np.percentile(_apart_s(heard, recorded, speed), 99) < 0.002
        assert (heard.arrived_s >= heard.stamps_s).all()  # none before its time
    assert listeners[0].info.nominal_srate() == pytest.approx(500.0 * speed)
    # both streams are on one time
    starts_s = [listener.samples[0][0] for listener in listeners]
    expected_s = (_recorded(session, 1).times_s[0] - _recorded(session, 0).times_s[0]) / speed
    assert starts_s[1] - starts_s[0] == pytest.approx(expected_s, abs=1e-6)
    assert process.wait(10) == 0


@pytest.mark.lsl
def test_an_xdf_file_is_played_with_its_names_and_its_description(tmp_path: Path, play: Play) -> None:
    own = uuid.uuid4().hex
    stamps = np.cumsum(np.random.default_rng(3).uniform(0.002, 0.05, 60))
    numbers = XdfStream(
        "amplifier",
        stamps,
        [[i, -i] for i in range(60)],
        form="int16",
        rate_hz=40.0,
        channels=2,
        type="EEG",
        source_id=f"n-{own}",
        desc="<channels><channel><label>left</label></channel><channel><label>right</label></channel></channels>"
        "<reference>nose</reference>",
    )
    words = XdfStream(
        "words", stamps[::6], [[f"wörd {i}"] for i in range(10)], form="string", source_id=f"w-{own}"
    )
    path = write_xdf(tmp_path / "two.xdf", [numbers, words])
    process = play(path, source_id_suffix="-played")
    listeners = _listen(*(f"{kind}-{own}-played" for kind in "nw"))
    heard = listeners[0].heard()
    np.testing.assert_allclose(np.diff(heard.stamps_s), np.diff(stamps), atol=1e-9)
    assert heard.values == [[i, -i] for i in range(60)]
    assert listeners[1].heard().values == [[f"wörd {i}"] for i in range(10)]
    info = listeners[0].info
    assert (info.name(), info.type(), info.channel_format()) == ("amplifier", "EEG", pylsl.cf_int16)
    assert info.get_channel_labels() == ["left", "right"]
    desc = info.desc()
    assert desc.child_value("reference") == "nose"
    replay = desc.child("replay")
    assert replay.child_value("of") == "two.xdf"
    assert replay.child_value("source_id") == f"n-{own}"
    assert replay.child_value("hostname") == "rig-7"
    assert process.wait(10) == 0


@pytest.mark.lsl
def test_a_loop_goes_on_without_a_seam(tmp_path: Path, play: Play) -> None:
    own = uuid.uuid4().hex
    stream = XdfStream(
        "l", np.arange(50) / 100, [[i] for i in range(50)], "int32", rate_hz=100.0, source_id=own
    )
    process = play(write_xdf(tmp_path / "loop.xdf", [stream]), loop=True)
    heard = _listen(own, most=130)[0].heard()
    assert [values[0] for values in heard.values] == (list(range(50)) * 3)[:130]
    np.testing.assert_allclose(np.diff(heard.stamps_s), 0.01, atol=1e-9)
    assert process.poll() is None


@pytest.mark.lsl
def test_pause_and_seek_keep_what_is_played_in_order(tmp_path: Path) -> None:
    own = uuid.uuid4().hex
    stream = XdfStream(
        "s", np.arange(3000) / 100, [[i] for i in range(3000)], "int32", rate_hz=100.0, source_id=own
    )
    player = Player(
        open_recording(write_xdf(tmp_path / "seek.xdf", [stream])),
        PlayOptions(wait_for_listener=True, from_s=10.0),
    )
    thread = threading.Thread(target=player.play)
    thread.start()
    try:
        (listener,) = _listen(own)
        _wait(lambda: len(listener.samples) >= 20)
        player.pause()
        _wait(lambda: player.status().state == "paused")
        time.sleep(0.1)  # for what is on its way
        count = len(listener.samples)
        assert player.status().position_s == pytest.approx(10.0 + count / 100, abs=0.02)
        time.sleep(0.2)
        assert len(listener.samples) == count
        player.pause()
        _wait(lambda: len(listener.samples) >= count + 20)
        player.seek(5.0)
        _wait(lambda: listener.samples[-1][2][0] >= 1500)
        player.seek(-1000.0)
        _wait(lambda: listener.samples[-1][2][0] < 1000)
        player.seek(1000.0)
        thread.join(10)
        assert not thread.is_alive()
        heard = listener.heard()
    finally:
        player.stop()
        thread.join()
    numbers = np.array(heard.values)[:, 0]
    jumps = np.flatnonzero(np.diff(numbers) != 1)
    assert numbers[0] == 1000
    assert numbers[-1] == 2999
    assert len(jumps) == 3  # by the seeks; the pause left no trace in the order
    assert 495 <= numbers[jumps[0] + 1] - numbers[jumps[0]] <= 505
    assert numbers[jumps[1] + 1] == 0
    assert (np.diff(heard.stamps_s) > 0).all()
    assert np.diff(heard.stamps_s).max() > 0.2  # the pause


@pytest.mark.lsl
def test_a_session_can_take_a_played_stream_as_its_response_source(session: Path, play: Play) -> None:
    play(session, loop=True, streams=["response"])
    response = Response.model_validate(
        {"kind": "rates", "stream": {"source_id": f"response-{session.name}"}, "expected_rate_hz": 500}
    )
    link = LslLink(response, f"new-{uuid.uuid4().hex[:8]}", wait_for_stream_s=15)
    try:
        (info,) = link.open()
        chunks: list[Chunk] = []
        _wait(lambda: chunks.extend(e for e in link.poll() if isinstance(e, Chunk)) or len(chunks) > 20)
    finally:
        link.close()
    assert (info.name, info.type, info.channels) == ("Synthetic", "Rates", 3)
    values = np.concatenate([chunk.values for chunk in chunks])
    recorded = _recorded(session, 0).values
    first = next(at for at in range(len(recorded)) if (recorded[at : at + 100] == values[:100]).all())
    np.testing.assert_array_equal(values, recorded[first : first + len(values)])


@pytest.mark.lsl
def test_keys_in_the_terminal_pause_seek_and_quit(tmp_path: Path) -> None:
    stream = XdfStream("keys", np.arange(6000) / 100, [[i] for i in range(6000)], source_id=uuid.uuid4().hex)
    path = write_xdf(tmp_path / "keys.xdf", [stream])
    pid, terminal = pty.fork()
    if pid == 0:
        os.environ["COLUMNS"] = "100"
        os.execv(sys.executable, [sys.executable, "-c", _CALL, str(path), "{}"])  # noqa: S606 - our own interpreter
    screen = _Screen(terminal)
    screen.wait_for("playing")
    os.write(terminal, b"\x1b[C")
    screen.wait_for("0:05 of 1:00")
    os.write(terminal, b" ")
    screen.wait_for("paused")
    os.write(terminal, b"q")
    assert os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) == 0
    os.close(terminal)


class _Screen:
    def __init__(self, terminal: int) -> None:
        self._terminal, self._text = terminal, ""

    def wait_for(self, text: str) -> None:
        until_s = time.monotonic() + 20
        while text not in self._text:
            assert time.monotonic() < until_s, self._text
            self._text += os.read(self._terminal, 4096).decode("utf-8", "replace")


def _wait(holds: Callable[[], object], timeout_s: float = 15.0) -> None:
    until_s = time.monotonic() + timeout_s
    while not holds():
        assert time.monotonic() < until_s, "it never came true"
        time.sleep(0.005)


def test_a_damaged_chunk_is_named_at_the_end(session: Path, capfd: pytest.CaptureFixture[str]) -> None:
    import sqlite3

    with sqlite3.connect(session / "session.sqlite") as connection:
        connection.execute("UPDATE chunks SET data = x'00' WHERE sequence = 2")
    stream_recording(session, speed=100.0)
    said = capfd.readouterr()
    assert "left out chunk 2 of response, run 0" in " ".join(said.err.split())
    assert "Synthetic (response): 500 Hz, 3 x float32" in said.out


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"speed": 0.0}, "--speed"),
        ({"speed": float("nan")}, "--speed"),
        ({"from_s": 1e6}, "a place to begin within them"),
        ({"from_s": -1.0}, "a place to begin within them"),
        ({"streams": ["fixation"]}, "no stream 'fixation'"),
    ],
)
def test_what_does_not_fit_the_recording_is_refused(
    session: Path, options: dict[str, Any], words: str
) -> None:
    with pytest.raises(RecordingError, match=words):
        stream_recording(session, **options)


@pytest.mark.parametrize(
    ("state", "heard", "expected"),
    [
        ("playing", (False,), ["playing", "0:30 of 2:00 at 2 x, pass 2", "sent: x 7", "nobody listens"]),
        ("paused", (True,), ["paused", "0:30 of 2:00 at 2 x, pass 2", "sent: x 7"]),
        ("waiting", (False,), ["waiting for a listener", "0:30 of 2:00 at 2 x, pass 2", "sent: x 7"]),
    ],
)
def test_the_plain_line_says_where_playing_stands(
    state: str, heard: Sequence[bool], expected: list[str]
) -> None:
    status = PlayStatus(state, 30.0, 120.0, 1, (7,), tuple(heard), 0.1)
    assert plain_line(status, ["x"], 2.0) == " | ".join(expected)
