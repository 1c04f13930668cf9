"""Streams as they were recorded, announced to LSL once more."""

from __future__ import annotations

from pathlib import Path
from typing import Any
from xml.etree.ElementTree import Element

import numpy.typing as npt
import pylsl

from closedloop.ports import Float64
from closedloop.replay.recordings.recording import RecordedStream

_FORMATS = {
    "float32": pylsl.cf_float32,
    "float64": pylsl.cf_double64,
    "string": pylsl.cf_string,
    "int8": pylsl.cf_int8,
    "int16": pylsl.cf_int16,
    "int32": pylsl.cf_int32,
    "int64": pylsl.cf_int64,
}
_BUFFER_S = 30  # kept for a receiver that is slow: seconds of a regular stream at its announced rate
_BUFFER_HUNDREDS = 360  # hundreds of samples of an irregular one


def describe(
    stream: RecordedStream, recording: Path, speed: float, source_id_suffix: str = ""
) -> pylsl.StreamInfo:
    """Return the description under which a recorded stream is played.

    Name, type, source id, channels and type of values are the recorded ones, and so is the ``<desc>``.
    The nominal rate is what it is when played: the recorded one times the speed. ``<desc>`` gets a
    ``<replay>`` that says where the stream comes from and what it was.

    Args:
        stream: the recorded stream.
        recording: its file or folder.
        speed: at which it is played.
        source_id_suffix: appended to the source id, so that nobody takes it for the original.
    """
    source_id = stream.source_id + source_id_suffix
    info = pylsl.StreamInfo(
        stream.name,
        stream.type,
        stream.channels,
        stream.nominal_hz * speed,
        _FORMATS[stream.dtype],
        source_id,
    )
    desc = info.desc()
    for child in [] if stream.desc is None else stream.desc:
        _copy(desc, child)
    replay = desc.append_child("replay")
    facts = {
        "of": recording.resolve().name,
        "speed": f"{speed:g}",
        "source_id": stream.source_id,
        "nominal_srate": repr(stream.nominal_hz),
        **stream.facts,
    }
    for key, text in facts.items():
        replay.append_child_value(key, text)
    return info


def _copy(parent: pylsl.XMLElement, element: Element) -> None:
    text = (element.text or "").strip()
    if len(element) == 0:
        parent.append_child_value(element.tag, text)
        return
    child = parent.append_child(element.tag)
    for grandchild in element:
        _copy(child, grandchild)


class PlayedStream:
    """One outlet, and how far it has been played.

    Args:
        info: its description.
    """

    def __init__(self, info: pylsl.StreamInfo) -> None:
        regular = info.nominal_srate() > 0
        buffer = _BUFFER_S if regular else _BUFFER_HUNDREDS
        self._outlet: pylsl.StreamOutlet | None = pylsl.StreamOutlet(info, max_buffered=buffer)
        self._text = info.channel_format() == pylsl.cf_string
        self.sent = 0

    def send(self, values: npt.NDArray[Any], stamps_s: Float64) -> None:
        """Send samples (n, channels) with their stamps (n,); hands them to liblsl and does not wait."""
        assert self._outlet is not None  # noqa: S101 - nothing is sent after close
        if len(stamps_s) == 1:
            # by far the most frequent case at usual rates, and half the price of a chunk of one
            if self._text:
                self._outlet.push_sample(values[0].tolist(), float(stamps_s[0]))
            else:
                self._outlet.push_chunk(values, float(stamps_s[0]))
        else:
            self._outlet.push_chunk(values.tolist() if self._text else values, stamps_s.tolist())
        self.sent += len(stamps_s)

    def has_listeners(self) -> bool:
        """Whether anybody hears it."""
        return self._outlet is not None and bool(self._outlet.have_consumers())

    def close(self) -> None:
        """End the stream."""
        self._outlet = None  # pylsl destroys the outlet with its last reference
