"""Writes small XDF files (sccn.ucsd.edu's container of LabRecorder), sound ones and others."""

from __future__ import annotations

import struct
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

_FORMATS = {"int16": "<h", "int32": "<i", "float32": "<f", "double64": "<d", "int64": "<q"}
_BOUNDARY = bytes.fromhex("43a546dccbf5410fb30ed546738 3cbe4".replace(" ", ""))


@dataclass(frozen=True)
class XdfStream:
    """One stream: stamps (n,), values (n, channels), and clock offsets (time, value)."""

    name: str
    stamps: Sequence[float]
    values: Sequence[Sequence[object]]
    form: str = "float32"
    rate_hz: float = 0.0
    type: str = "Signal"
    source_id: str = "xdf-factory"
    offsets: Sequence[tuple[float, float]] = ()
    desc: str = ""
    channels: int = 1


def write_xdf(path: Path, streams: Sequence[XdfStream]) -> Path:
    parts = [b"XDF:", _chunk(1, b"<?xml version='1.0'?><info><version>1.0</version></info>")]
    for number, stream in enumerate(streams, start=1):
        parts.append(_chunk(2, struct.pack("<I", number) + _header(stream).encode()))
    for number, stream in enumerate(streams, start=1):
        for first in range(0, len(stream.stamps), 50):
            samples = list(zip(stream.stamps, stream.values, strict=True))[first : first + 50]
            body = b"".join(_sample(stream.form, stamp, values) for stamp, values in samples)
            parts.append(_chunk(3, struct.pack("<I", number) + _varlen(len(samples)) + body))
            parts.append(_chunk(5, _BOUNDARY))
        parts += [_chunk(4, struct.pack("<Idd", number, *offset)) for offset in stream.offsets]
    path.write_bytes(b"".join(parts))
    return path


def _header(stream: XdfStream) -> str:
    return (
        f"<?xml version='1.0'?><info><name>{stream.name}</name><type>{stream.type}</type>"
        f"<channel_count>{stream.channels}</channel_count><nominal_srate>{stream.rate_hz}</nominal_srate>"
        f"<channel_format>{stream.form}</channel_format><source_id>{stream.source_id}</source_id>"
        f"<hostname>rig-7</hostname><desc>{stream.desc}</desc></info>"
    )


def _sample(form: str, stamp: float, values: Sequence[object]) -> bytes:
    body = b"\x08" + struct.pack("<d", stamp)
    for value in values:
        if form == "string":
            text = str(value).encode()
            body += _varlen(len(text)) + text
        else:
            body += struct.pack(_FORMATS[form], value)
    return body


def _chunk(tag: int, content: bytes) -> bytes:
    return _varlen(len(content) + 2) + struct.pack("<H", tag) + content


def _varlen(number: int) -> bytes:
    return b"\x01" + bytes([number]) if number < 256 else b"\x04" + struct.pack("<I", number)
