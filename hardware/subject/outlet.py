"""An LSL outlet that can be made to fail in the ways that real senders fail."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import numpy.typing as npt
import pylsl

# what liblsl keeps for a slow receiver: seconds of a regular stream, hundreds of samples of an irregular one
_BUFFER_REGULAR, _BUFFER_IRREGULAR = 30, 360


class FailingOutlet:
    """Sends samples, unless a fault is on.

    Args:
        describe: makes the stream's description; called anew when the stream comes back.
        clock: the LSL clock.
    """

    def __init__(
        self, describe: Callable[[], pylsl.StreamInfo], clock: Callable[[], float] = pylsl.local_clock
    ) -> None:
        self._describe, self._clock = describe, clock
        self._outlet: pylsl.StreamOutlet | None = self._open()
        self._closed_until_s = self._hung_until_s = self._deaf_until_s = self._nan_until_s = -np.inf
        self._late: list[tuple[npt.NDArray[Any], list[float]]] = []

    def drop(self, seconds: float) -> None:
        """End the stream; it comes back after a time with the same source id. Unsent samples are lost."""
        self._outlet = None  # pylsl destroys the outlet with its last reference
        self._late.clear()
        self._closed_until_s = self._clock() + seconds

    def hang(self, seconds: float) -> None:
        """Send nothing for a time, and then all of it."""
        self._hung_until_s = self._clock() + seconds

    def gap(self, seconds: float) -> None:
        """Lose the samples of a time."""
        self._deaf_until_s = self._clock() + seconds

    def nan(self, seconds: float) -> None:
        """Send NaN for a time in place of each measurement."""
        self._nan_until_s = self._clock() + seconds

    def send(self, values: npt.NDArray[Any], stamps_s: list[float], keep: int = 0) -> None:
        """Send samples ``(n, channels)`` with their stamps, as far as the faults let it.

        Args:
            values: in the stream's type.
            stamps_s: one a sample, in order.
            keep: how many leading channels are no measurement (a trial's number) and never become NaN.
        """
        now_s = self._clock()
        if self._outlet is None and now_s >= self._closed_until_s:
            self._outlet = self._open()
        if now_s < self._nan_until_s:
            values = values.copy()
            values[:, keep:] = np.nan
        if len(stamps_s) and now_s >= self._deaf_until_s and self._outlet is not None:
            self._late.append((values, stamps_s))
        if now_s < self._hung_until_s or self._outlet is None:
            return
        for some, stamps in self._late:
            self._outlet.push_chunk(some, stamps)
        self._late.clear()

    def _open(self) -> pylsl.StreamOutlet:
        info = self._describe()
        regular = info.nominal_srate() > 0
        return pylsl.StreamOutlet(info, max_buffered=_BUFFER_REGULAR if regular else _BUFFER_IRREGULAR)
