"""How true a recording is played over LSL: distances between samples as received, losses, and what it costs.

    python -m benchmarks.playback [--seconds 8] [--xdf ../shared/data/xdf]

Each recording is played by `closedloop`'s own player in a process of its own and heard here. Printed are, for
each stream: samples recorded and received; by how much the distances between their stamps differ from the
recorded ones (divided by the speed); the same for the moments at which they arrived here, which holds the
receiver's own delays as well; and the share of one core that the player took. Nothing is asserted.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import os
import platform
import subprocess
import sys
import tempfile
import threading
import time
import uuid
from pathlib import Path

# before the first import of pylsl: nobody else is to hear this, and we hear nobody
_FOLDER = tempfile.TemporaryDirectory(prefix="closedloop-playback-")
_CONFIG = Path(_FOLDER.name) / "lsl_api.cfg"
_CONFIG.write_text(
    f"[ports]\nIPv6 = disable\n[lab]\nSessionID = playback-{uuid.uuid4().hex[:8]}\n"
    "[multicast]\nAddressesOverride = {127.0.0.1, 224.0.0.183}\nTTLOverride = 0\n[log]\nlevel = -3\n",
    encoding="utf-8",
)
os.environ["LSLAPICFG"] = str(_CONFIG)

import numpy as np  # noqa: E402 - after the configuration
import psutil  # noqa: E402 - after the configuration
import pylsl  # noqa: E402 - after the configuration

from closedloop.errors import ClosedLoopError  # noqa: E402 - after the configuration
from closedloop.ports import Chunk, Marker, StreamInfo  # noqa: E402 - after the configuration
from closedloop.replay.recordings import Block, open_recording  # noqa: E402 - after the configuration
from closedloop.session import SessionStore  # noqa: E402 - after the configuration
from hardware.stage.priority import raise_priority  # noqa: E402 - after the configuration

_PLAY = (
    "import json, sys; from pathlib import Path; from experiments.replay_stream import stream_recording; "
    "stream_recording(Path(sys.argv[1]), wait_for_listener=True, **json.loads(sys.argv[2]))"
)
_CHUNK_S = 0.02
_PULL = 256
_TITLE = (
    f"{'recording':22}{'speed':>6}  {'stream':32}{'recorded':>9}{'received':>9}{'stamps off, ms':>18}"
    f"{'arrivals off, ms':>26}{'core':>7}"
)


class Listener(threading.Thread):
    """Hears one stream to its end."""

    def __init__(self, found: pylsl.StreamInfo) -> None:
        super().__init__(daemon=True)
        self._found = found
        self.stamps_s: list[float] = []
        self.arrived_s: list[float] = []
        self.opened = threading.Event()
        self.start()

    def run(self) -> None:
        """Wait for a sample; take what else is there by then."""
        raise_priority()  # liblsl's threads of this inlet inherit it: the player is to be measured, not we
        inlet = pylsl.StreamInlet(self._found, recover=False)
        inlet.open_stream(timeout=5)
        self.opened.set()
        numbers = self._found.channel_format() != pylsl.cf_string
        with contextlib.suppress(pylsl.util.LostError):
            while True:
                _, stamp_s = inlet.pull_sample(timeout=0.5)
                now_s = pylsl.local_clock()
                if stamp_s is None:
                    continue
                _, more_s = inlet.pull_chunk(timeout=0.0, max_samples=_PULL, as_numpy=numbers)
                self.stamps_s += [stamp_s, *more_s]
                self.arrived_s += [now_s] * (1 + len(more_s))


def main() -> None:
    """Measure and print."""
    options = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    options.add_argument("--seconds", type=float, default=8.0, help="length of the made-up sessions")
    options.add_argument(
        "--xdf", type=Path, default=Path("../shared/data/xdf"), help="folder of sample files"
    )
    chosen = options.parse_args()
    load = " ".join(f"{value:.1f}" for value in os.getloadavg())
    print(
        f"machine   {_cpu()}, {os.cpu_count()} cores, {platform.system()} {platform.release()}, load {load}"
    )
    print(f"versions  python {platform.python_version()}, pylsl {pylsl.__version__}, numpy {np.__version__}")
    print("columns   distances between samples against the recorded ones: 99th percentile (worst)\n")
    print(_TITLE)
    folder = Path(_FOLDER.name)
    for channels, rate_hz, speeds in (
        (96, 1000.0, (1.0, 10.0)),
        (1024, 1000.0, (1.0,)),
        (32, 30000.0, (1.0,)),
    ):
        path = write_session(folder / f"{channels}x{rate_hz:g}Hz", channels, rate_hz, chosen.seconds)
        for speed in speeds:
            measure(path, speed)
    for name, speed, from_s in (
        ("minimal", 1.0, 0.0),
        ("empty_streams", 1.0, 0.0),
        ("clock_resets", 10.0, 412.0),
    ):
        path = chosen.xdf / f"{name}.xdf"
        if path.is_file():
            measure(path, speed, from_s)
        else:
            print(f"{path.name:22} not there")


def write_session(folder: Path, channels: int, rate_hz: float, seconds: float) -> Path:
    """Write a session of noise, the dearest thing to unpack, with a marker 10 times a second."""
    folder.mkdir()
    store = SessionStore.create(folder, meta={"session": folder.name}, environment={}, started_s=1000.0)
    names = tuple(f"unit {unit}" for unit in range(channels))
    store.add_stream(
        StreamInfo(
            "response",
            "rates",
            f"noise {folder.name}",
            "rates",
            folder.name,
            rate_hz,
            channels,
            "float32",
            names,
        )
    )
    rng = np.random.default_rng(0)
    stamps_s = 1000.0 + np.arange(1, int(seconds * rate_hz) + 1) / rate_hz
    step = max(1, min(round(_CHUNK_S * rate_hz), (1 << 17) // (4 * channels)))  # as the ingest process pulls
    with store.transaction():
        for sequence, first in enumerate(range(0, len(stamps_s), step)):
            part = stamps_s[first : first + step]
            values = rng.standard_normal((len(part), channels)).astype(np.float32)
            store.add_chunk(Chunk("response", 0, sequence, part, values, 0.0, 0.0, float(part[-1])), 1000.0)
        for time_s in np.arange(1000.5, 1000.0 + seconds, 0.1):
            store.add_marker(Marker(float(time_s), {"event": "stimulus_on", "session": folder.name}))
    store.close(ended_s=float(stamps_s[-1]), exit_status="completed", reason="made up")
    return folder


def measure(path: Path, speed: float, from_s: float = 0.0) -> None:
    """Play one recording, hear it, and print its lines."""
    try:
        recording = open_recording(path)
    except ClosedLoopError as error:
        print(f"{path.name:22} refused: {error}")
        return
    command = [sys.executable, "-c", _PLAY, str(path), json.dumps({"speed": speed, "from_s": from_s})]
    player = subprocess.Popen(
        command, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE
    )
    names = [stream.name for stream in recording.streams]
    found = {info.name(): info for info in _look(names)}
    listeners = [Listener(found[name]) for name in names]
    for listener in listeners:
        listener.opened.wait()
    process = psutil.Process(player.pid)
    while not any(listener.stamps_s for listener in listeners):
        time.sleep(0.02)
    begun_s, before = time.monotonic(), process.cpu_times()
    used, took_s = 0.0, 1.0
    while player.poll() is None:
        with contextlib.suppress(psutil.Error):
            now = process.cpu_times()
            if now.user + now.system > before.user + before.system + used:
                used = now.user + now.system - before.user - before.system
                took_s = time.monotonic() - begun_s
        time.sleep(0.05)
    for listener in listeners:
        listener.join(5)
    for number, listener in enumerate(listeners):
        blocks = [piece for piece in recording.blocks(number, from_s) if isinstance(piece, Block)]
        times_s = np.concatenate([block.times_s for block in blocks])
        line = _line(times_s / speed, np.array(listener.stamps_s), np.array(listener.arrived_s))
        core = f"{used / took_s:7.0%}" if number == 0 else ""
        print(f"{path.name[:21]:22}{speed:6g}  {names[number][:31]:32}{line}{core}")


def _line(recorded_s: np.ndarray, stamps_s: np.ndarray, arrived_s: np.ndarray) -> str:
    counts = f"{len(recorded_s):9}{len(stamps_s):9}"
    if len(recorded_s) != len(stamps_s) or len(recorded_s) < 2:
        return f"{counts}{'-':>18}{'-':>26}"
    apart_ms = [np.abs(np.diff(times_s) - np.diff(recorded_s)) * 1e3 for times_s in (stamps_s, arrived_s)]
    texts = [f"{np.percentile(off, 99):.4f} ({off.max():.4f})" for off in apart_ms]
    return f"{counts}{texts[0]:>18}{texts[1]:>26}"


def _look(names: list[str]) -> list[pylsl.StreamInfo]:
    until_s = time.monotonic() + 30
    while time.monotonic() < until_s:
        found = pylsl.resolve_streams(1.0)
        if {info.name() for info in found} >= set(names):
            return found
    raise SystemExit(f"the streams {names} were not found")


def _cpu() -> str:
    info = Path("/proc/cpuinfo")
    lines = info.read_text().splitlines() if info.exists() else []
    return next(
        (line.split(":", 1)[1].strip() for line in lines if "model name" in line), platform.processor()
    )


if __name__ == "__main__":
    main()
