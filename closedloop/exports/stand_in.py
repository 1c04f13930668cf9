"""An image without data: stands beside a ``*_bold.json`` for a validator, where no scanner ever made one.

Source: the NIfTI-1 header.
"""

from __future__ import annotations

import gzip
import struct
import zlib
from pathlib import Path

from closedloop.exports.files import write_whole

_HEADER_BYTES = 352
_DESCRIPTION = b"stand-in without data, closedloop"
_DESCRIPTION_AT = 148


def write_stand_in(path: Path, tr_s: float, volumes: int) -> Path:
    """Write an image of one voxel that is always 0, for a validator that wants one beside the JSON.

    Args:
        path: of the file.
        tr_s: the validator compares it with the JSON.
        volumes: the validator compares their time with that of the events.
    """
    volumes = max(volumes, 1)
    header = bytearray(_HEADER_BYTES)
    struct.pack_into("<i", header, 0, 348)
    struct.pack_into("<8h", header, 40, 4, 1, 1, 1, volumes, 1, 1, 1)
    struct.pack_into("<2h", header, 70, 2, 8)  # unsigned bytes
    struct.pack_into("<8f", header, 76, 1, 1, 1, 1, tr_s, 0, 0, 0)
    struct.pack_into("<f", header, 108, _HEADER_BYTES)
    header[123] = 2 | 8  # millimetres, seconds
    struct.pack_into("<80s", header, _DESCRIPTION_AT, _DESCRIPTION)
    struct.pack_into("<h", header, 254, 1)  # a position in the scanner, so that nobody need guess one
    for axis in range(3):
        struct.pack_into("<f", header, 280 + 20 * axis, 1.0)
    struct.pack_into("<4s", header, 344, b"n+1")
    content = gzip.compress(bytes(header) + bytes(volumes), mtime=0)
    return write_whole(path, lambda temporary: _put(temporary, content))


def is_stand_in(path: Path) -> bool:
    """Return whether a file is an image that ``write_stand_in`` wrote; one that can't be read is somebody's."""
    try:
        with gzip.open(path) as file:
            header = file.read(_HEADER_BYTES)
    except (OSError, EOFError, zlib.error):
        return False
    return header[_DESCRIPTION_AT : _DESCRIPTION_AT + 80].rstrip(b"\0") == _DESCRIPTION


def _put(path: Path, content: bytes) -> None:
    path.write_bytes(content)
