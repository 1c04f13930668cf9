"""Finds the pages that a write-ahead log holds, also beyond a frame that is damaged.

SQLite itself believes nothing that comes after a bad frame. Here each frame is checked by itself: its sum goes
on from the sum that stands in the frame before.

Source: the SQLite file format (version 3), the write-ahead log.
"""

from __future__ import annotations

import struct
from dataclasses import dataclass
from typing import BinaryIO

from closedloop.session.salvage.pages import PAGE_BYTES

_HEADER_BYTES = 32
_FRAME_HEADER_BYTES = 24
_MAGIC = 0x377F0682  # sums of little-endian words; one more: of big-endian words


@dataclass(frozen=True)
class Log:
    """What a log holds.

    Attributes:
        places: where in the log the newest committed content of a page stands, by the page's number.
        bad: frames that were damaged and left out.
    """

    places: dict[int, int]
    bad: int = 0


def read_log(file: BinaryIO) -> Log:
    """Look through a log, a frame at a time."""
    header = file.read(_HEADER_BYTES)
    if len(header) < _HEADER_BYTES:
        return Log({})
    magic, _, _, _, salt_1, salt_2, sum_1, sum_2 = struct.unpack(">8I", header)
    order = ">" if magic & 1 else "<"
    # if the header is damaged: every frame tells the salts, too
    salts = (salt_1, salt_2) if magic in (_MAGIC, _MAGIC + 1) else None
    if salts is None:
        order = "<"
    sums = (sum_1, sum_2)
    places: dict[int, int] = {}
    begun: dict[int, int] = {}
    bad = 0
    step = _FRAME_HEADER_BYTES + PAGE_BYTES
    at = _HEADER_BYTES
    while len(frame := file.read(step)) == step:
        head, page = frame[:_FRAME_HEADER_BYTES], frame[_FRAME_HEADER_BYTES:]
        number, commit, frame_1, frame_2, *stated = struct.unpack(">6I", head)
        if salts is None:
            salts = (frame_1, frame_2)
        if (frame_1, frame_2) != salts:
            break  # left over from before the log began anew
        right = _sum(head[:8] + page, sums, order) == tuple(stated)
        sums = (stated[0], stated[1])
        if right:
            begun[number] = at + _FRAME_HEADER_BYTES
            if commit:
                places |= begun
                begun.clear()
        else:
            bad += 1
        at += step
    return Log(places, bad)


def _sum(data: bytes, start: tuple[int, int], order: str) -> tuple[int, int]:
    first, second = start
    words = struct.unpack(f"{order}{len(data) // 4}I", data)
    for one, other in zip(words[::2], words[1::2], strict=True):
        first = (first + one + second) & 0xFFFFFFFF
        second = (second + other + first) & 0xFFFFFFFF
    return first, second
