"""Hears the markers of a session that runs, in a thread of its own."""

from __future__ import annotations

import json
import queue
import threading
from contextlib import suppress
from dataclasses import dataclass
from typing import Any

import pylsl

from closedloop.errors import AmbiguousStreamError, ClosedLoopError
from hardware.lsl.discover import on_this_machine
from hardware.lsl.markers import STREAM_NAME, source_id

_LOOK_S = 0.6
_PULL_S = 0.1
_OPEN_S = 5.0
_ONE_CLOCK_S = 1e-3
_GONE = (pylsl.util.LostError, pylsl.util.TimeoutError, pylsl.util.InternalError)


@dataclass(frozen=True)
class HeardMarker:
    """A marker, at its time on this machine's ``local_clock``."""

    time_s: float
    payload: dict[str, Any]


class MarkerEar(threading.Thread):
    """Finds the session's marker stream, and finds it again when it is gone.

    Args:
        not_session: a session that is not meant, since it is the one that is played.
        session: the one that is meant; None: the only one that is there.

    Attributes:
        heard: markers in order, or the error that ended this thread.
        hears: whether the stream is open now, so that no marker is missed.
    """

    def __init__(self, not_session: str, session: str | None = None) -> None:
        super().__init__(name="marker-ear", daemon=True)
        self.heard: queue.SimpleQueue[HeardMarker | ClosedLoopError] = queue.SimpleQueue()
        self.hears = False
        self._not_source, self._source = source_id(not_session), session and source_id(session)
        self._closed = False

    def close(self) -> None:
        """End the thread (blocks for a moment)."""
        self._closed = True
        self.join()

    def run(self) -> None:
        """Hear until closed."""
        while not self._closed:
            try:
                # when it is gone, the session has ended or crashed: it is looked for, as it may be resumed
                with suppress(*_GONE):
                    found = self._find()
                    if found is not None:
                        self._hear(found)
            except ClosedLoopError as error:
                self.heard.put(error)
                return
            finally:
                self.hears = False

    def _find(self) -> pylsl.StreamInfo | None:
        there = {
            found.source_id(): found
            for found in pylsl.resolve_byprop("name", STREAM_NAME, minimum=8, timeout=_LOOK_S)
            if found.source_id() != self._not_source and self._source in (None, found.source_id())
        }
        if len(there) > 1:
            raise AmbiguousStreamError(
                "marker stream",
                found=f"{len(there)} sessions: {', '.join(sorted(there))}",
                expected="the one that is to be followed",
                remedy="Name it with --session, or stop the others.",
            )
        return next(iter(there.values()), None)

    def _hear(self, found: pylsl.StreamInfo) -> None:
        inlet = pylsl.StreamInlet(found, recover=False)
        inlet.open_stream(timeout=_OPEN_S)
        correction_s = inlet.time_correction(timeout=_OPEN_S)
        # programs on one machine have one clock; what is measured between them is the way there and back
        own = on_this_machine(found) and abs(correction_s) < _ONE_CLOCK_S
        self.hears = True
        while not self._closed:
            texts, stamp_s = inlet.pull_sample(timeout=_PULL_S)
            if stamp_s is None:
                continue
            try:
                payload = json.loads(texts[0])
            except ValueError:
                continue  # not by closedloop, whatever it is
            if isinstance(payload, dict):
                time_s = stamp_s if own else stamp_s + inlet.time_correction(timeout=_OPEN_S)
                self.heard.put(HeardMarker(time_s, payload))
