"""What a stream must be before a session may begin with it (the contract of docs/lsl.md)."""

from __future__ import annotations

import math
from collections.abc import Iterable

from closedloop.errors import StreamMismatchError
from closedloop.ports import StreamInfo
from closedloop.protocol.models import Response

FIXATION = "fixation"
_REGULAR_KINDS = ("rates", "counts")
_RATE_TOLERANCE = 1e-3  # relative: devices round the rate that they announce


def check_response(info: StreamInfo, response: Response, units: Iterable[int] = ()) -> None:
    """Check a response stream against the protocol.

    Args:
        info: the stream as it presents itself.
        response: the protocol's section.
        units: every unit number that the threads count.

    Raises:
        StreamMismatchError: names the first thing that does not fit.
    """
    _check_numeric(info)
    if info.kind in _REGULAR_KINDS and not info.nominal_hz > 0:
        raise _mismatch(
            info, "an irregular stream", f"kind '{info.kind}', which has a nominal rate", "response.kind"
        )
    if info.kind not in _REGULAR_KINDS and info.nominal_hz > 0:
        found = f"a regular stream of {info.nominal_hz:g} Hz"
        raise _mismatch(info, found, f"kind '{info.kind}', which is irregular", "response.kind")
    if info.kind == "spikes" and (info.channels != 1 or info.dtype != "int32"):
        found = f"{info.channels} channel(s) of {info.dtype}"
        raise _mismatch(info, found, "kind 'spikes': one channel of int32", "response.kind")
    if info.kind == "trials" and info.channels < 2:
        expected = "kind 'trials': the trial's number, then a channel for each unit"
        raise _mismatch(info, "1 channel", expected, "response.kind")
    if response.expected_channels is not None and info.channels != response.expected_channels:
        expected = f"{response.expected_channels} channels"
        raise _mismatch(info, f"{info.channels} channels", expected, "response.expected_channels")
    rate_hz = response.rate_in_use_hz
    if rate_hz is not None and not math.isclose(info.nominal_hz, rate_hz, rel_tol=_RATE_TOLERANCE):
        raise _mismatch(
            info,
            f"a nominal rate of {info.nominal_hz:g} Hz",
            f"{rate_hz:g} Hz",
            "response.expected_rate_hz" if response.volumes is None else "response.volumes.tr_s",
        )
    count = unit_count(info, response)
    for unit in units:
        if count is not None and unit >= count:
            expected = f"a unit below {count}, since units are counted from 0"
            raise _mismatch(info, f"unit {unit} in a thread", expected, "threads.units")


def check_fixation(info: StreamInfo) -> None:
    """Check a fixation stream: one numeric channel, regular or not.

    Raises:
        StreamMismatchError: it is something else.
    """
    _check_numeric(info)
    if info.channels != 1:
        expected = "one channel, 1 while fixating and 0 while not"
        raise _mismatch(info, f"{info.channels} channels", expected, "response.fixation_stream")


def check_same(info: StreamInfo, first: StreamInfo, names: bool = True) -> None:
    """Check that a stream that came back is what it was when the session began.

    Args:
        info: the stream as it is now.
        first: as it was.
        names: compare the channel names too; they are there only once the stream is open.

    Raises:
        StreamMismatchError: rate, channels, type of value or channel names are others.
    """
    compared: list[tuple[str, object, object]] = [
        ("values of type", info.dtype, first.dtype),
        ("this many channels:", info.channels, first.channels),
        ("a nominal rate in Hz of", info.nominal_hz, first.nominal_hz),
    ]
    if names:
        pairs = zip(info.channel_names, first.channel_names, strict=False)  # the count is compared above
        compared += [("a channel named", now, was) for now, was in pairs]
    for what, now, was in compared:
        if now != was:
            raise StreamMismatchError(
                f"{first.role} stream '{info.name}' (source_id '{info.source_id}') after its restart",
                found=f"{what} {now}",
                expected=f"{was}, as when the session began",
                remedy="Restart the sender with its former settings, or end this session and begin another.",
            )


def unit_count(info: StreamInfo, response: Response) -> int | None:
    """Return how many units a response stream has; None where nobody says (spikes without unit_count)."""
    if info.kind == "spikes":
        return response.unit_count
    return info.channels - 1 if info.kind == "trials" else info.channels


def _check_numeric(info: StreamInfo) -> None:
    if info.dtype in ("string", "undefined"):
        raise _mismatch(info, f"values of type '{info.dtype}'", "numbers", f"{info.role} stream")


def _mismatch(info: StreamInfo, found: str, expected: str, key: str) -> StreamMismatchError:
    return StreamMismatchError(
        f"{info.role} stream '{info.name}' (source_id '{info.source_id}')",
        found=found,
        expected=expected,
        remedy=f"Correct {key} in the protocol, or the sender's settings.",
    )
