"""An LSL stream of markers, one a pulse, as a scanner's gateway sends them."""

from __future__ import annotations

import time
from collections.abc import Callable

import pylsl

from hardware.scanner.output import Sent

_STEP_S = 0.1  # how long it may be deaf to a signal
_LINGER_S = 0.3  # liblsl gives no sign when a marker is out; on a local network this is ample


class MarkerStreamOutput:
    """The outlet.

    Args:
        name: of the stream.
        source_id: that a protocol pins.
        marker: what a pulse is.
        numeric: send whole numbers (int32) and not texts.
        wait_listener_s: how long ``await_listener`` waits for somebody to listen.
        stream_type: of the stream.
    """

    def __init__(
        self,
        name: str,
        source_id: str,
        marker: str,
        numeric: bool = False,
        wait_listener_s: float = 0.0,
        stream_type: str = "Markers",
    ) -> None:
        self._name, self._source_id, self._marker, self._type = name, source_id, marker, stream_type
        self._numeric, self._wait_s = numeric, wait_listener_s

    def open(self) -> str:
        """Make the stream known."""
        form = pylsl.cf_int32 if self._numeric else pylsl.cf_string
        info = pylsl.StreamInfo(self._name, self._type, 1, pylsl.IRREGULAR_RATE, form, self._source_id)
        info.set_channel_labels(["pulse"])
        self._outlet = pylsl.StreamOutlet(info)
        return f"stream '{self._name}', source id '{self._source_id}', marker '{self._marker}'"

    def await_listener(self, stopped: Callable[[], bool] = lambda: False) -> bool:
        """Wait for somebody to listen, as long as was asked for; True if somebody does."""
        until_s = time.monotonic() + self._wait_s
        while time.monotonic() < until_s and not stopped():
            if self._outlet.wait_for_consumers(min(_STEP_S, self._wait_s)):
                return True
        return bool(self._outlet.have_consumers())

    def down(self, key: str | None, number: int | None = None) -> Sent:
        """Send the marker, or the key's name as one; it bears the time before it was sent."""
        mark = self._marker if key is None else key
        if number is not None:
            mark = f"{mark} {number}"
        before_s = pylsl.local_clock()
        self._outlet.push_sample([int(mark) if self._numeric else mark], before_s)
        return Sent(before_s, pylsl.local_clock())

    def up(self, key: str | None) -> None:
        """Nothing is held."""

    def stay(self, stopped: Callable[[], bool]) -> None:
        """A stream may end when it likes, and is looked for."""

    def close(self) -> None:
        """Let the last markers out, and end the stream."""
        if self._outlet.have_consumers():
            time.sleep(_LINGER_S)
        del self._outlet
