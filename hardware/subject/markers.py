"""Hears which trial is on the screen: the only thing that the subject takes from the loop, for ``trials``."""

from __future__ import annotations

import json
import queue
import threading

import pylsl
from pylsl.util import LostError
from pylsl.util import TimeoutError as LslTimeoutError

_STREAM_NAME = "closedloop-markers"
_LOOK_S = 0.5  # how often new marker streams are looked for
_PROBE_S = 10.0  # how often the offset of the sender's clock is measured


class MarkerListener:
    """Collects ``stimulus_on`` markers of every session that sends some, in a thread of its own."""

    def __init__(self) -> None:
        self._found: queue.SimpleQueue[tuple[float, int]] = queue.SimpleQueue()
        self._stopped = threading.Event()
        self._thread = threading.Thread(target=self._listen, name="markers", daemon=True)
        self._thread.start()

    def poll(self) -> list[tuple[float, int]]:
        """Return the new ones: time on this machine's LSL clock, and trial number."""
        new = []
        while not self._found.empty():
            new.append(self._found.get_nowait())
        return new

    def close(self) -> None:
        """End the thread (blocks briefly)."""
        self._stopped.set()
        self._thread.join(timeout=3.0)

    def _listen(self) -> None:
        resolver = pylsl.ContinuousResolver("name", _STREAM_NAME)
        inlets: dict[str, _Inlet] = {}
        looked_s = 0.0
        while not self._stopped.wait(0.005):
            if pylsl.local_clock() - looked_s > _LOOK_S:
                present = {info.uid(): info for info in resolver.results()}
                inlets = {uid: inlets.get(uid) or _Inlet(info) for uid, info in present.items()}
                looked_s = pylsl.local_clock()
            for inlet in inlets.values():
                for found in inlet.pull():
                    self._found.put(found)


class _Inlet:
    def __init__(self, info: pylsl.StreamInfo) -> None:
        self._inlet = pylsl.StreamInlet(info, recover=False)
        self._offset_s, self._probed_s = 0.0, 0.0
        self._inlet.open_stream(timeout=2.0)

    def pull(self) -> list[tuple[float, int]]:
        """Return time and trial of what came in; nothing once the stream has ended."""
        try:
            if pylsl.local_clock() - self._probed_s > _PROBE_S:
                self._offset_s = self._inlet.time_correction(timeout=1.0)
                self._probed_s = pylsl.local_clock()
            texts, stamps_s = self._inlet.pull_chunk(timeout=0.0)
        except (LostError, LslTimeoutError):
            return []
        found = []
        for (text,), stamp_s in zip(texts, stamps_s, strict=True):
            trial = _trial(text)
            if trial is not None:
                found.append((stamp_s + self._offset_s, trial))
        return found


def _trial(text: str) -> int | None:
    try:
        payload = json.loads(text)
    except json.JSONDecodeError:
        return None  # somebody else's marker
    if not isinstance(payload, dict) or payload.get("event") != "stimulus_on":
        return None
    trial = payload.get("trial")
    return trial if isinstance(trial, int) else None
