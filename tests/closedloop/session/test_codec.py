"""Arrays as blobs."""

from __future__ import annotations

import zlib

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as npst

from closedloop.session import codec

DTYPES = st.sampled_from(["<f8", "<f4", "<i4", "<i2", "<u2", "i1", "u1", "<i8", ">f4", ">i8"])
ARRAYS = DTYPES.flatmap(
    lambda dtype: npst.arrays(dtype, npst.array_shapes(min_dims=1, max_dims=2, min_side=0))
)


@given(ARRAYS)
def test_what_was_packed_comes_back_to_the_bit(array: np.ndarray) -> None:
    back = codec.unpack(codec.pack(array), array.dtype, array.shape)
    assert back.dtype == array.dtype
    assert back.shape == array.shape
    assert back.tobytes() == array.tobytes()


def test_slices_and_transposed_arrays_are_packed_in_their_own_order() -> None:
    array = np.arange(24, dtype=np.float32).reshape(4, 6)
    for view in (array.T, array[::2], array[:, ::-1]):
        assert (codec.unpack(codec.pack(view), view.dtype, view.shape) == view).all()


def test_nan_infinity_and_negative_zero_stay_what_they_are() -> None:
    array = np.array([np.nan, np.inf, -np.inf, -0.0])
    assert codec.unpack(codec.pack(array), np.float64, (4,)).tobytes() == array.tobytes()


@given(st.binary(max_size=200))
def test_foreign_bytes_are_one_clear_error(blob: bytes) -> None:
    with pytest.raises(ValueError, match=r"damaged|bytes where"):
        codec.unpack(blob, np.float64, (3, 2))


@given(st.integers(0, 10_000), st.integers(1, 255))
def test_a_damaged_byte_is_noticed(at: int, change: int) -> None:
    array = np.arange(300, dtype=np.float64)
    blob = bytearray(codec.pack(array))
    blob[at % len(blob)] ^= change
    try:
        back = codec.unpack(bytes(blob), np.float64, (300,))
    except ValueError:
        return
    # zlib's header has bits that change nothing; then the array must be whole
    assert (back == array).all()


def test_an_array_of_another_shape_is_refused() -> None:
    blob = codec.pack(np.zeros(6))
    with pytest.raises(ValueError, match="48 bytes where 56"):
        codec.unpack(blob, np.float64, (7,))
    with pytest.raises(ValueError, match="damaged"):
        codec.unpack(blob[:-3], np.float64, (6,))
    with pytest.raises(ValueError, match="3 bytes where 8"):
        codec.unpack(zlib.compress(b"abc"), np.float64, (1,))
