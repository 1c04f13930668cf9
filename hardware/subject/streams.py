"""The four kinds of response stream: how spikes become samples, and how each stream describes itself."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Protocol

import numpy as np
import numpy.typing as npt
import pylsl

from hardware.subject.firing import Float, Int
from hardware.subject.options import SubjectOptions
from hardware.subject.trials import TrialEncoder

KEEP_ALIVE_UNIT = -1
"""In a ``spikes`` stream: no spike, but a sign of life; up to its stamp every spike has been sent."""

Samples = tuple[npt.NDArray[Any], list[float]]


class Encoder(Protocol):
    """Turns spikes into the samples of one kind of stream."""

    lead: int  # leading channels that are no measurement

    def encode(self, until_s: float, times_s: Float, units: Int) -> Samples:
        """Return samples ``(n, channels)`` and their stamps for the spikes up to ``until_s``.

        Args:
            until_s: all spikes before this time have now been handed over.
            times_s: ``(n,)`` of the new ones, in order.
            units: ``(n,)``.
        """
        ...


class SpikeEncoder:
    """``spikes``: a sample a spike, and at the end of each chunk a keep-alive."""

    lead = 0

    def encode(self, until_s: float, times_s: Float, units: Int) -> Samples:
        """See ``Encoder``."""
        values = np.append(units, np.int32(KEEP_ALIVE_UNIT)).astype(np.int32)[:, None]
        return values, [*times_s.tolist(), until_s]


class BinEncoder:
    """``rates`` and ``counts``: a sample for each bin, stamped with the bin's end.

    Args:
        units: how many.
        rate_hz: bins a second.
        scale: what a spike counts: 1, or ``rate_hz`` for spikes/s.
        start_s: where the first bin begins.
    """

    lead = 0

    def __init__(self, units: int, rate_hz: float, scale: float, start_s: float) -> None:
        self._units, self._rate_hz, self._scale, self._start_s = units, rate_hz, scale, start_s
        self._done = 0
        self._bins, self._who = np.empty(0, np.int64), np.empty(0, np.int32)

    def encode(self, until_s: float, times_s: Float, units: Int) -> Samples:
        """See ``Encoder``."""
        places = np.floor((times_s - self._start_s) * self._rate_hz).astype(np.int64)
        self._bins, self._who = np.concatenate([self._bins, places]), np.concatenate([self._who, units])
        complete = int(np.floor((until_s - self._start_s) * self._rate_hz))
        values = np.zeros((max(0, complete - self._done), self._units), np.float32)
        ripe = self._bins < complete
        np.add.at(values, (self._bins[ripe] - self._done, self._who[ripe]), self._scale)
        ends = (np.arange(self._done, self._done + len(values)) + 1) / self._rate_hz + self._start_s
        self._bins, self._who = self._bins[~ripe], self._who[~ripe]
        self._done += len(values)
        return values, ends.tolist()


def make_encoder(options: SubjectOptions, start_s: float) -> Encoder:
    """Return the encoder for the chosen kind."""
    units = len(options.channels)
    if options.kind == "spikes":
        return SpikeEncoder()
    if options.kind == "trials":
        return TrialEncoder(units, options.window_s)
    scale = options.rate_hz if options.kind == "rates" else 1.0
    return BinEncoder(units, options.rate_hz, scale, start_s)


def describe_response(options: SubjectOptions) -> pylsl.StreamInfo:
    """Return the description of the response stream."""
    labels = [f"unit {n} ({options.layer} channel {channel})" for n, channel in enumerate(options.channels)]
    regular = options.kind in ("rates", "counts")
    form = {"spikes": pylsl.cf_int32, "trials": pylsl.cf_double64}.get(options.kind, pylsl.cf_float32)
    measure = "spikes per bin" if options.kind == "counts" else "spikes/s"
    channels, units = labels, [measure] * len(labels)
    if options.kind == "spikes":
        channels, units = ["unit index"], ["index"]
    elif options.kind == "trials":
        channels, units = ["trial", *labels], ["number", *units]
    rate_hz = options.rate_hz if regular else pylsl.IRREGULAR_RATE
    info = pylsl.StreamInfo(options.name, options.kind, len(channels), rate_hz, form, options.source_id)
    _annotate(info, channels, units)
    info.desc().append_child_value("kind", options.kind)
    info.desc().append_child_value("unit_count", str(len(labels)))
    names = info.desc().append_child("units")
    for label in labels:
        names.append_child("unit").append_child_value("label", label)
    return info


def describe_fixation(options: SubjectOptions) -> pylsl.StreamInfo:
    """Return the description of the fixation stream: 1 while fixating, 0 while not."""
    info = pylsl.StreamInfo(
        f"{options.name}-fixation",
        "fixation",
        1,
        pylsl.IRREGULAR_RATE,
        pylsl.cf_float32,
        f"{options.source_id}-fixation",
    )
    _annotate(info, ["fixating"], ["1 or 0"])
    return info


def _annotate(info: pylsl.StreamInfo, labels: Sequence[str], units: Sequence[str]) -> None:
    info.set_channel_labels(list(labels))
    info.set_channel_units(list(units))
    info.desc().append_child_value("simulated", "true")
    info.desc().append_child_value("manufacturer", "closedloop")
