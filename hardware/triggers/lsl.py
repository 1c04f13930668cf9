"""Markers of an LSL stream as pulses, at the sender's stamps, corrected by our own fit of its clock."""

from __future__ import annotations

import queue
import threading
from collections.abc import Sequence
from typing import Any

import pylsl

from closedloop.errors import StreamError, TriggerError
from closedloop.ports import StreamInfo
from closedloop.protocol.sections.response import StreamSelection
from closedloop.scan.ports import ButtonPress, Pulse, TriggerInfo, TriggerNotice
from hardware.lsl.clockfit import ClockFit, Probe
from hardware.lsl.discover import on_this_machine
from hardware.lsl.keeper import Connection, Keeper, connect
from hardware.lsl.selection import describe
from hardware.triggers.ear import CHECK_S, Emit, Listened, hurry
from hardware.triggers.numbered_only import NumberedOnly

_ROLE = "trigger"


class LslEar:
    """Hears the first channel of one marker stream, text or numbers.

    A sender that ends is looked for until it is back, since a scanner's gateway is often started anew for each
    run; what it sent meanwhile is lost, and the pulses' count will show it. That it is lost, found again, or that
    what was found is refused, is told with a notice.

    Args:
        selection: exactly one stream must fit.
        marker: the one that is a pulse; None: any that is no response key.
        response_keys: markers that are the subject's buttons.
        wait_s: how long the stream is looked for.
        numbered_from: pulses end in their number, this one the first; what does not is none, and is told of with
            a notice. None: markers are not numbered.
    """

    def __init__(
        self,
        selection: StreamSelection,
        marker: str | None,
        response_keys: Sequence[str],
        wait_s: float,
        numbered_from: int | None = None,
    ) -> None:
        self._selection, self._marker, self._keys = selection, marker, frozenset(response_keys)
        self._wait_s = wait_s
        self._numbered = None if numbered_from is None else NumberedOnly(numbered_from)

    @property
    def keys(self) -> frozenset[str]:
        """All of the subject's, except one that is the pulses' marker."""
        return self._keys - {self._marker}

    def open(self) -> TriggerInfo:
        """Find and open the stream (blocks)."""
        try:
            self._first = connect(_ROLE, "markers", self._selection, self._wait_s, _check_markers)
        except StreamError as error:
            raise TriggerError(
                error.where, found=error.found, expected=error.expected, remedy=error.remedy
            ) from error
        self._begin(self._first)
        info, correction = self._first.info, self._fit.at(self._first.probe.time_s)
        return TriggerInfo(
            path="lsl",
            device=f"stream {describe(info)}",
            resolution_s=1e-6,
            uncertainty_s=correction.uncertainty_s,
            details={
                "stamp": "the sender's, plus our fit of its clock's offset",
                "clock_offset_s": correction.offset_s,
                "marker": self._marker,
                "not in the uncertainty": "how the sender makes its stamps",
                "liblsl": pylsl.library_version(),
            },
        )

    def hear(self, emit: Emit, closing: threading.Event, listened: Listened) -> None:
        """Hand over markers until told to end."""
        keeper = Keeper(self._first)
        inlet: pylsl.StreamInlet | None = self._first.inlet
        keeper.start()  # before this thread hurries, as it would inherit that
        hurry()
        while not closing.is_set():
            inlet = self._hear_news(keeper, inlet, emit)
            looked_s = pylsl.local_clock()
            # of a stream that is lost, too, as its notice has told that nothing can come; but what comes while it is
            # opened again waits there until this thread has it
            if not (keeper.opening if inlet is None else inlet.samples_available()):
                listened(looked_s)
            if inlet is None:
                continue
            try:
                sample, stamp_s = inlet.pull_sample(timeout=CHECK_S)
            except pylsl.util.LostError:
                inlet = None
                keeper.seek(disconnected=True)
                emit(
                    _notice(
                        "was lost: no pulse is heard until it is back. Is its sender running?", self._named
                    )
                )
                continue
            if stamp_s is not None:
                self._heard(_as_text(sample[0]), stamp_s, emit)

    @property
    def _named(self) -> str:
        return describe(self._first.info)

    def _hear_news(self, keeper: Keeper, inlet: pylsl.StreamInlet | None, emit: Emit) -> Any:
        """Take in probes and new connections; waits a moment if there is nothing else to hear."""
        try:
            news = keeper.news.get(timeout=CHECK_S) if inlet is None else keeper.news.get_nowait()
        except queue.Empty:
            return inlet
        if isinstance(news, Probe):
            self._fit.add(news)
        elif isinstance(news, Connection):
            self._begin(news)
            emit(_notice("was found again.", self._named))
            return news.inlet
        else:
            words = f"can't be taken up again: found {news.found}; expected {news.expected}. {news.remedy}"
            emit(_notice(words, self._named))
        return inlet

    def _begin(self, connection: Connection) -> None:
        self._fit = ClockFit(same_machine=on_this_machine(connection.info))
        self._fit.add(connection.probe)

    def _heard(self, mark: str, stamp_s: float, emit: Emit) -> None:
        received_s = pylsl.local_clock()
        correction = self._fit.at(stamp_s + self._fit.newest_offset_s)
        time_s = stamp_s + correction.offset_s
        if mark == self._marker or (self._marker is None and mark not in self._keys):
            if self._numbered is not None and not self._numbered.is_pulse(mark, received_s):
                if words := self._numbered.words(mark, received_s):
                    emit(_notice(words, self._named))
                return
            emit(Pulse(time_s, correction.uncertainty_s, stamp_s, received_s, mark))
        elif mark in self._keys:
            emit(ButtonPress(mark, time_s, correction.uncertainty_s, received_s))


def _notice(words: str, named: str) -> TriggerNotice:
    return TriggerNotice(f"The trigger's stream {named} {words}", pylsl.local_clock())


def _as_text(value: str | float) -> str:
    """Return a marker as it is written in a protocol: ``5``, whatever type of number it came as."""
    if isinstance(value, str):
        return value
    return str(int(value)) if float(value).is_integer() else str(value)


def _check_markers(info: StreamInfo) -> None:
    if info.nominal_hz == 0:
        return
    raise StreamError(
        f"{_ROLE} stream '{info.name}'",
        found=f"samples at {info.nominal_hz:g} Hz",
        expected="markers: a stream of irregular rate",
        remedy="Pin the marker stream; a trigger in an analog channel must be turned into markers by its sender.",
    )
