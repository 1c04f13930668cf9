"""Puts the pages of a write-ahead log into their places, also beyond a frame that is damaged.

SQLite itself believes nothing that comes after a bad frame. Here each frame is checked by itself: its sum goes
on from the sum that stands in the frame before.

Source: the SQLite file format (version 3), the write-ahead log.
"""

from __future__ import annotations

import struct
from dataclasses import dataclass

from closedloop.session.salvage.pages import PAGE_BYTES

_HEADER_BYTES = 32
_FRAME_HEADER_BYTES = 24
_MAGIC = 0x377F0682  # sums of little-endian words; one more: of big-endian words


@dataclass(frozen=True)
class Applied:
    """A file with its log put in.

    Attributes:
        content: of the file.
        frames: put in.
        bad: frames that were damaged and left out.
    """

    content: bytes
    frames: int = 0
    bad: int = 0


def apply_log(content: bytes, log: bytes) -> Applied:
    """Return a file's bytes with all committed pages of its log in place."""
    if len(log) < _HEADER_BYTES + _FRAME_HEADER_BYTES + PAGE_BYTES:
        return Applied(content)
    magic, _, _, _, salt_1, salt_2, sum_1, sum_2 = struct.unpack(">8I", log[:_HEADER_BYTES])
    order = ">" if magic & 1 else "<"
    salts = (salt_1, salt_2) if magic in (_MAGIC, _MAGIC + 1) else None
    if salts is None:  # the header is damaged: every frame tells the salts, too
        salts = struct.unpack(">2I", log[_HEADER_BYTES + 8 : _HEADER_BYTES + 16])
        order = "<"
    sums = (sum_1, sum_2)
    kept: list[tuple[int, bytes]] = []
    committed = bad = 0
    step = _FRAME_HEADER_BYTES + PAGE_BYTES
    for at in range(_HEADER_BYTES, len(log) - step + 1, step):
        head, page = log[at : at + _FRAME_HEADER_BYTES], log[at + _FRAME_HEADER_BYTES : at + step]
        number, commit, frame_1, frame_2, *stated = struct.unpack(">6I", head)
        if (frame_1, frame_2) != salts:
            break  # left over from before the log began anew
        right = _sum(head[:8] + page, sums, order) == tuple(stated)
        sums = (stated[0], stated[1])
        if not right:
            bad += 1
            continue
        kept.append((number, page))
        if commit:
            committed = len(kept)
    pages = bytearray(content)
    for number, page in kept[:committed]:
        end = number * PAGE_BYTES
        if len(pages) < end:
            pages += bytes(end - len(pages))
        pages[end - PAGE_BYTES : end] = page
    return Applied(bytes(pages), committed, bad)


def _sum(data: bytes, start: tuple[int, int], order: str) -> tuple[int, int]:
    first, second = start
    words = struct.unpack(f"{order}{len(data) // 4}I", data)
    for one, other in zip(words[::2], words[1::2], strict=True):
        first = (first + one + second) & 0xFFFFFFFF
        second = (second + other + first) & 0xFFFFFFFF
    return first, second
