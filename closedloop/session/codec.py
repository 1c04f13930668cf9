"""Arrays as blobs: zlib over the bytes, grouped by significance.

Grouping (all first bytes of the elements, then all second bytes, ...) makes neural samples compress
faster and smaller than in memory order. Little-endian whatever the machine.
"""

from __future__ import annotations

import zlib
from typing import Any

import numpy as np
import numpy.typing as npt

_LEVEL = 1  # samples come in while the loop runs: speed counts, and higher levels gain little


def pack(array: npt.NDArray[Any]) -> bytes:
    """Compress an array; its dtype and shape are kept elsewhere."""
    little = np.ascontiguousarray(array, dtype=array.dtype.newbyteorder("<"))
    columns = little.reshape(-1).view(np.uint8).reshape(-1, little.dtype.itemsize)
    return zlib.compress(columns.T.tobytes(), _LEVEL)


def unpack(blob: bytes, dtype: npt.DTypeLike, shape: tuple[int, ...]) -> npt.NDArray[Any]:
    """Undo :func:`pack`.

    Raises:
        ValueError: the blob is damaged, or holds another number of bytes than dtype and shape ask for.
    """
    little = np.dtype(dtype).newbyteorder("<")
    try:
        raw = np.frombuffer(zlib.decompress(blob), dtype=np.uint8)
    except zlib.error as error:
        raise ValueError(f"compressed array is damaged ({error})") from error
    expected = int(np.prod(shape, dtype=np.int64)) * little.itemsize
    if raw.size != expected:
        raise ValueError(f"array of {raw.size} bytes where {expected} were expected")
    rows = np.ascontiguousarray(raw.reshape(little.itemsize, -1).T)
    return rows.reshape(-1).view(little).astype(np.dtype(dtype), copy=False).reshape(shape)
