"""Exactly one stream may fit what the protocol asks for."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from closedloop.errors import AmbiguousStreamError, StreamNotFoundError
from closedloop.ports import StreamInfo
from closedloop.protocol.models import StreamSelection


def describe(info: StreamInfo) -> str:
    """Return one stream in a few words, as error messages show it."""
    rate = f"{info.nominal_hz:g} Hz" if info.nominal_hz > 0 else "irregular"
    return (
        f"'{info.name}' (type '{info.type}', source_id '{info.source_id}', {rate}, "
        f"{info.channels} x {info.dtype}, on {info.hostname or 'unknown host'})"
    )


def wanted(selection: StreamSelection) -> str:
    """Return in words what a selection asks for."""
    keys = selection.model_dump(exclude_none=True)
    return "a stream with " + ", ".join(f"{key} '{value}'" for key, value in keys.items())


def fitting(selection: StreamSelection, streams: Iterable[StreamInfo]) -> list[StreamInfo]:
    """Return the streams for which every given key of the selection fits exactly."""
    keys = selection.model_dump(exclude_none=True)
    return [info for info in streams if all(getattr(info, key) == value for key, value in keys.items())]


def select(role: str, selection: StreamSelection, streams: Sequence[StreamInfo]) -> StreamInfo:
    """Return the one stream that fits.

    Raises:
        StreamNotFoundError: none does; names the streams that are there.
        AmbiguousStreamError: more than one does; names them.
    """
    found = fitting(selection, streams)
    if len(found) == 1:
        return found[0]
    if not found:
        there = "; ".join(describe(info) for info in streams) if streams else "no stream at all"
        raise StreamNotFoundError(
            f"{role} stream",
            found=there,
            expected=wanted(selection),
            remedy="Start the sender, correct the protocol, or see `closedloop streams`; "
            "sender and session must have the same LSL session id.",
        )
    raise AmbiguousStreamError(
        f"{role} stream",
        found=f"{len(found)} that fit: " + "; ".join(describe(info) for info in found),
        expected="exactly one, " + wanted(selection),
        remedy="Pin the one that is meant by its source_id in the protocol, or stop the others.",
    )
