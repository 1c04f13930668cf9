"""Keeps one stream connected: finds it, checks it, asks its clock, and finds it again when it is gone.

All that may block is done in this thread, so that pulling samples never waits.
"""

from __future__ import annotations

import queue
import threading
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial

import pylsl

from closedloop.errors import StreamError
from closedloop.ports import StreamInfo
from closedloop.protocol.models import StreamSelection
from hardware.lsl import discover
from hardware.lsl.clockfit import Probe
from hardware.lsl.contract import check_same
from hardware.lsl.selection import fitting, select

_PROBE_EVERY_S = 0.5  # liblsl measures every 2 s; asking more often only finds its result sooner
_OPEN_S = 5.0
_LOOK_S = 0.5  # liblsl says that shorter looks may miss streams
_BUFFER_S = 360  # of a regular stream; pulling is never that late
_GONE = (pylsl.util.LostError, pylsl.util.TimeoutError, pylsl.util.InternalError)


@dataclass(frozen=True)
class Connection:
    """An open inlet with a first measurement of its clock."""

    inlet: pylsl.StreamInlet
    info: StreamInfo
    probe: Probe


def connect(
    role: str,
    kind: str,
    selection: StreamSelection,
    wait_s: float,
    check: Callable[[StreamInfo], None],
) -> Connection:
    """Find, check and open a stream (blocks).

    Raises:
        StreamError: none, more than one, or one that ``check`` refuses.
    """
    raw, info = discover.find(role, kind, selection, wait_s)
    check(info)  # before we open it, as a stream of another form could not even be read
    return _open(raw, role, kind, info, check)


def _open(
    raw: pylsl.StreamInfo, role: str, kind: str, info: StreamInfo, check: Callable[[StreamInfo], None]
) -> Connection:
    # liblsl must not reconnect by itself: it would do so silently, to a source that may have changed
    inlet = pylsl.StreamInlet(raw, max_buflen=_BUFFER_S, recover=False)
    try:
        full = discover.convert(inlet.info(timeout=_OPEN_S), role, kind)
        check(full)
        inlet.open_stream(timeout=_OPEN_S)
        probe = discover.probe_clock(inlet, timeout_s=_OPEN_S)
    except _GONE as error:
        raise StreamError(
            f"{role} stream '{info.name}'",
            found=f"no answer while it was opened ({error})",
            expected=f"data and clock within {_OPEN_S:g} s",
            remedy="See whether the sender hangs, and whether a firewall blocks LSL's ports "
            "(TCP and UDP 16572 to 16604).",
        ) from error
    return Connection(inlet, full, probe)


class Keeper(threading.Thread):
    """The thread. ``news`` brings, in order: probes of the connection, new connections, refusals.

    Attributes:
        opening: what is sent from now on may come by a connection that ``news`` has not brought yet, or that was
            not taken from there; until the next ``seek`` if it brings it.

    Args:
        first: the connection that the session began with.
    """

    def __init__(self, first: Connection) -> None:
        super().__init__(name=f"lsl-{first.info.role}", daemon=True)
        self.news: queue.SimpleQueue[Probe | Connection | StreamError] = queue.SimpleQueue()
        self._first = first.info
        self._connection = first
        # destroying an inlet can block, so the last reference to one is always let go in this thread
        self._retired: Connection | None = None
        self._wanted = threading.Event()
        self._disconnected = False
        self._refused: set[str] = set()
        self.opening = False

    def seek(self, disconnected: bool) -> None:
        """Look for the stream anew.

        Args:
            disconnected: its connection broke, so any sender of its identity will do; False where it is
                only silent: then it may wake up in its old connection, and only another sender is taken.
        """
        self._disconnected = disconnected
        self.opening = False
        self._wanted.set()

    def rest(self) -> None:
        """The stream is well; look for it no more."""
        self._wanted.clear()

    def run(self) -> None:
        """Measure the clock; look for the stream while it is wanted."""
        known_s = self._connection.probe.time_s
        while True:
            if self._wanted.wait(_PROBE_EVERY_S) and self._reconnect():
                known_s = self._connection.probe.time_s
            if self._wanted.is_set() and self._disconnected:
                continue
            # one that seems silent may only have a clock that has stepped back, and this is what shows it
            try:
                probe = discover.probe_clock(self._connection.inlet, timeout_s=1.0)
            except _GONE:
                continue  # pulling meets the same, and says so
            if probe.time_s != known_s:
                known_s = probe.time_s
                self.news.put(probe)

    def _reconnect(self) -> bool:
        """Take up a stream with the first one's identity; False if there is none."""
        first = self._first
        identity = StreamSelection(name=first.name, type=first.type, source_id=first.source_id)
        found = [
            (raw, info)
            for raw, info in discover.look(first.role, first.kind, _LOOK_S)
            if self._disconnected or info.uid != self._connection.info.uid
            # without a source id the host is what tells it from a namesake
            if first.source_id or info.hostname == first.hostname
        ]
        candidates = fitting(identity, [info for _, info in found])
        if not candidates or not self._wanted.is_set():
            return False
        try:
            chosen = select(first.role, identity, candidates)
            check_same(chosen, first, names=False)
            raw = next(raw for raw, info in found if info.uid == chosen.uid)
            self.opening = True
            fresh = _open(raw, first.role, first.kind, chosen, partial(check_same, first=first))
        except StreamError as error:
            self.opening = False
            # said once for each reason, not with every look
            if str(error) not in self._refused:
                self._refused.add(str(error))
                self.news.put(error)
            return False
        if not self._wanted.is_set():  # the old one woke up while we were opening
            self.opening = False
            return False
        self._retired, self._connection = self._connection, fresh
        self._wanted.clear()
        self._refused.clear()
        self.news.put(fresh)
        return True
