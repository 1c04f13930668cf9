"""Which LSL streams are there, and what they say of themselves."""

from __future__ import annotations

import ctypes
import socket
import time
from collections.abc import Sequence
from dataclasses import dataclass

import pylsl

from closedloop.ports import StreamInfo
from closedloop.protocol.models import StreamSelection
from hardware.lsl.clockfit import Probe
from hardware.lsl.markers import STREAM_NAME, STREAM_TYPE
from hardware.lsl.selection import fitting, select

_DTYPES = {
    pylsl.cf_float32: "float32",
    pylsl.cf_double64: "float64",
    pylsl.cf_string: "string",
    pylsl.cf_int32: "int32",
    pylsl.cf_int16: "int16",
    pylsl.cf_int8: "int8",
    pylsl.cf_int64: "int64",
}
_ROUND_S = 1.0  # liblsl warns of looks below 0.5 s, and asks known peers only after 0.75 s
_PINNED_ROUND_S = 0.6  # where the source id is pinned, no stranger can be taken for it
_LIST_LISTEN_S = 0.5


@dataclass(frozen=True)
class StreamReport:
    """One line of `closedloop streams`.

    Attributes:
        info: the stream; ``info.kind`` is a guess from its form.
        clock_offset_s: to add to its stamps; None if its clock did not answer.
        clock_uncertainty_s: of that, half of the round trip.
        age_s: of the newest sample when we stopped listening; None if none came.
    """

    info: StreamInfo
    clock_offset_s: float | None
    clock_uncertainty_s: float | None
    age_s: float | None


def convert(found: pylsl.StreamInfo, role: str, kind: str) -> StreamInfo:
    """Return pylsl's description as ours; channel names are there only if it is a full one."""
    channels = found.channel_count()
    labels = found.get_channel_labels() or []
    return StreamInfo(
        role=role,
        kind=kind or guess_kind(found),
        name=found.name(),
        type=found.type(),
        source_id=found.source_id(),
        nominal_hz=found.nominal_srate(),
        channels=channels,
        dtype=_DTYPES.get(found.channel_format(), "undefined"),
        channel_names=_channel_names(kind, channels, labels),
        hostname=found.hostname(),
        uid=found.uid(),
        xml=found.as_xml(),
    )


def on_this_machine(found: pylsl.StreamInfo | StreamInfo) -> bool:
    """Whether a stream's sender says that it runs on this machine, and so reads the same clock."""
    name = found.hostname if isinstance(found, StreamInfo) else found.hostname()
    return bool(name) and name == socket.gethostname()


def guess_kind(found: pylsl.StreamInfo) -> str:
    """Return the kind that the form of a stream suggests; the protocol decides, not this."""
    text = found.channel_format() == pylsl.cf_string
    if text:
        return "markers" if found.nominal_srate() == 0 else "unknown"
    if found.nominal_srate() > 0:
        whole = found.channel_format() not in (pylsl.cf_float32, pylsl.cf_double64)
        return "counts" if whole else "rates"
    if found.channel_count() == 1:
        return "spikes" if found.channel_format() == pylsl.cf_int32 else "unknown"
    return "trials"


def find(
    role: str, kind: str, selection: StreamSelection, wait_s: float
) -> tuple[pylsl.StreamInfo, StreamInfo]:
    """Look for the one stream that fits (blocks up to ``wait_s``, and a second at least).

    Raises:
        StreamNotFoundError: none fits.
        AmbiguousStreamError: more than one fits.
    """
    until_s = time.monotonic() + wait_s
    round_s = _ROUND_S if selection.source_id is None else _PINNED_ROUND_S
    while True:
        found = look(role, kind, round_s)
        round_s = _ROUND_S
        infos = [info for _, info in found]
        if fitting(selection, infos) or time.monotonic() >= until_s:
            # a session's own markers are no stream that anybody could have meant
            chosen = select(role, selection, fitting(selection, infos) or [i for i in infos if not _own(i)])
            return next((raw, info) for raw, info in found if info.uid == chosen.uid)


def _own(info: StreamInfo) -> bool:
    return info.name == STREAM_NAME and info.type == STREAM_TYPE


def look(role: str, kind: str, wait_s: float) -> list[tuple[pylsl.StreamInfo, StreamInfo]]:
    """Return every stream that answers within ``wait_s`` (blocks so long)."""
    return [(found, convert(found, role, kind)) for found in pylsl.resolve_streams(wait_s)]


def probe_clock(inlet: pylsl.StreamInlet, timeout_s: float) -> Probe:
    """Return liblsl's newest clock measurement of an inlet.

    The first call starts liblsl's measuring in the background and waits for its result (8 packets, 0.6 s);
    later ones return at once what was measured last, every 2 s.

    Raises:
        TimeoutError: (pylsl's) the sender's clock did not answer.
        LostError: (pylsl's) the connection is gone.
    """
    remote_s, round_trip_s, code = ctypes.c_double(), ctypes.c_double(), ctypes.c_int()
    offset_s = _time_correction_ex(
        inlet.obj,
        ctypes.byref(remote_s),
        ctypes.byref(round_trip_s),
        ctypes.c_double(timeout_s),
        ctypes.byref(code),
    )
    pylsl.util.handle_error(code)
    return Probe(remote_s.value + offset_s, offset_s, max(0.0, round_trip_s.value))


# pylsl wraps only lsl_time_correction, which keeps the time and the round trip of the measurement to itself
_time_correction_ex = pylsl.lib.lib.lsl_time_correction_ex
_time_correction_ex.restype = ctypes.c_double


def list_streams(wait_s: float = 1.0) -> list[StreamReport]:
    """Return every stream that is there, listening to each for half a second (blocks).

    Args:
        wait_s: how long to look for streams.
    """
    reports = []
    for raw, info in look("", "", wait_s):
        inlet = pylsl.StreamInlet(raw, max_buflen=10, recover=False)
        try:
            reports.append(_report(inlet, info))
        except (pylsl.util.LostError, pylsl.util.TimeoutError):
            reports.append(StreamReport(info, None, None, None))
    return reports


def _report(inlet: pylsl.StreamInlet, info: StreamInfo) -> StreamReport:
    inlet.open_stream(timeout=2.0)
    try:
        probe = probe_clock(inlet, 1.5)
    except pylsl.util.TimeoutError:
        probe = None
    newest_s: float | None = None
    until_s = pylsl.local_clock() + _LIST_LISTEN_S
    while (now_s := pylsl.local_clock()) < until_s:
        _, stamps_s = inlet.pull_chunk(timeout=0.0, max_samples=256, as_numpy=True)
        newest_s = float(stamps_s[-1]) if len(stamps_s) else newest_s
        time.sleep(0.0 if len(stamps_s) else 0.005)
    if probe is None:
        return StreamReport(info, None, None, None)
    age_s = None if newest_s is None else now_s - newest_s - probe.offset_s
    return StreamReport(info, probe.offset_s, probe.uncertainty_s / 2, age_s)


def _channel_names(kind: str, channels: int, labels: Sequence[str | None]) -> tuple[str, ...]:
    trial = ["trial"] if kind == "trials" else []
    default = trial + [f"unit {unit}" for unit in range(channels - len(trial))]
    if len(labels) != channels:
        return tuple(default)
    return tuple(label or name for label, name in zip(labels, default, strict=True))
