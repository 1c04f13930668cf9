"""A sender whose answers are known: each hangs on the trial's and the image's number and on nothing else.

It hears the markers of a session and answers each ``stimulus_on`` with a sample of kind ``trials``. So two
sessions that show the same images in the same trials get the same answers, however their timing differs,
and what a session should have recorded can be computed without running it.

``python -m hardware.lsl.answering --help``. It says ``ready`` once its stream is there, and ends with its
standard input.
"""

from __future__ import annotations

import argparse
import json
import sys
import threading
import time

import numpy as np
import pylsl
from pylsl.util import LostError
from pylsl.util import TimeoutError as LslTimeoutError

from hardware.lsl.markers import STREAM_NAME

DEFAULT_SOURCE_ID = "closedloop-answering"
_KEEP_ALIVE_S = 0.02
_STEP_S = 0.003


def answer_hz(trial: int, image: int, units: int = 1) -> np.ndarray:
    """Return the rates (units,) of a trial, spikes/s: whole numbers from 0 to 100."""
    random = np.random.default_rng(np.random.SeedSequence([trial, image]))
    return random.integers(0, 101, units).astype(np.float64)


class Answering:
    """The outlet, and the inlets of all sessions that send markers.

    Args:
        source_id: of the stream.
        units: how many.
    """

    def __init__(self, source_id: str = DEFAULT_SOURCE_ID, units: int = 1) -> None:
        self._units = units
        info = pylsl.StreamInfo(
            "answering", "trials", units + 1, pylsl.IRREGULAR_RATE, pylsl.cf_double64, source_id
        )
        info.set_channel_labels(["trial", *(f"unit {unit}" for unit in range(units))])
        self._outlet = pylsl.StreamOutlet(info)
        self._resolver = pylsl.ContinuousResolver("name", STREAM_NAME, forget_after=2.0)
        self._inlets: dict[str, pylsl.StreamInlet] = {}
        self._alive_s = self._looked_s = 0.0

    def step(self) -> None:
        """Hear new markers and answer them; send a sign of life if it is time."""
        now_s = time.monotonic()
        if now_s - self._looked_s > 0.2:
            self._looked_s = now_s
            self._look()
        for uid, inlet in list(self._inlets.items()):
            try:
                texts, _ = inlet.pull_chunk(timeout=0.0)
            except LostError:
                del self._inlets[uid]
                continue
            for (text,) in texts:
                self._answer(text)
        if now_s - self._alive_s > _KEEP_ALIVE_S:
            self._alive_s = now_s
            self._outlet.push_sample([-1.0] + [0.0] * self._units)

    def _look(self) -> None:
        for info in self._resolver.results():
            if info.uid() not in self._inlets:
                inlet = pylsl.StreamInlet(info, recover=False)
                try:
                    inlet.open_stream(timeout=0.5)
                except (LostError, LslTimeoutError):
                    continue  # of a session that was killed; it is not listed for much longer
                self._inlets[info.uid()] = inlet

    def _answer(self, text: str) -> None:
        marker = json.loads(text)
        if marker.get("event") == "stimulus_on":
            rates_hz = answer_hz(marker["trial"], marker["image"], self._units)
            self._outlet.push_sample([float(marker["trial"]), *rates_hz.tolist()])


def main() -> None:
    """Run the sender until standard input ends."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else "")
    parser.add_argument("--source-id", default=DEFAULT_SOURCE_ID)
    parser.add_argument("--units", type=int, default=1)
    options = parser.parse_args()
    answering = Answering(options.source_id, options.units)
    ended = threading.Event()

    def wait_for_end() -> None:
        sys.stdin.read()
        ended.set()

    threading.Thread(target=wait_for_end, daemon=True).start()
    sys.stdout.write("ready\n")
    sys.stdout.flush()
    while not ended.wait(_STEP_S):
        answering.step()


if __name__ == "__main__":
    main()
