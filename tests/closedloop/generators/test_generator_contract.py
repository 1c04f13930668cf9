"""What every generator must hold to. A new one is added to the fixture ``make``."""

from __future__ import annotations

import json

import numpy as np
import pytest
import torch

from closedloop.errors import CodeError, ModelError


def some_codes(n: int, length: int) -> np.ndarray:
    return np.random.default_rng(5).standard_normal((n, length)).astype(np.float32)


def test_images_have_the_promised_shape_and_type(make) -> None:
    generator = make()
    images = generator.render(some_codes(3, generator.code_length))
    assert images.shape == (3, *generator.image_shape)
    assert images.dtype == np.uint8
    assert images.flags.c_contiguous
    assert generator.image_shape[2] == 3
    assert images.std() > 5


def test_no_code_gives_no_image(make) -> None:
    generator = make()
    assert generator.render(some_codes(0, generator.code_length)).shape == (0, *generator.image_shape)


def test_no_byte_depends_on_how_codes_are_cut_into_calls(make) -> None:
    generator = make(threads=1, device="cpu")
    codes = some_codes(40, generator.code_length)
    whole = generator.render(codes)
    for cut in (1, 2, 3, 4, 7):
        pieces = [generator.render(codes[start : start + cut]) for start in range(0, 40, cut)]
        np.testing.assert_array_equal(whole, np.concatenate(pieces), err_msg=f"{cut} at a time")


def test_no_byte_depends_on_the_number_of_threads(make) -> None:
    one = make(threads=1, device="cpu")
    codes = some_codes(8, one.code_length)
    np.testing.assert_array_equal(one.render(codes), make(threads=2, device="cpu").render(codes))


def test_no_byte_depends_on_order_or_on_what_was_rendered_before(make) -> None:
    generator = make()
    codes = some_codes(9, generator.code_length)
    whole = generator.render(codes)
    np.testing.assert_array_equal(generator.render(codes[::-1])[::-1], whole)
    generator.render(some_codes(5, generator.code_length) * 10)
    np.testing.assert_array_equal(generator.render(codes), whole)


def test_no_byte_depends_on_where_codes_lie_in_memory(make) -> None:
    generator = make()
    codes = some_codes(4, generator.code_length)
    whole = generator.render(codes)
    np.testing.assert_array_equal(generator.render(np.asfortranarray(codes)), whole)
    shifted = np.empty(codes.size + 1, np.float32)[1:].reshape(codes.shape)
    shifted[:] = codes
    np.testing.assert_array_equal(generator.render(shifted), whole)


def test_codes_are_left_as_they_were(make) -> None:
    generator = make()
    codes = some_codes(2, generator.code_length)
    before = codes.copy()
    generator.render(codes)
    np.testing.assert_array_equal(codes, before)


def test_another_code_gives_another_image(make) -> None:
    generator = make()
    images = generator.render(some_codes(2, generator.code_length))
    assert np.abs(images[0].astype(int) - images[1]).mean() > 5


def test_codes_that_do_not_fit_are_refused(make) -> None:
    generator = make()
    good = some_codes(3, generator.code_length)
    for bad, word in [
        (good.astype(np.float64), "float64"),
        (good.tolist(), "list"),
        (good[0], "shape"),
        (good[:, :-1], "shape"),
        (good[None], "shape"),
    ]:
        with pytest.raises(CodeError, match=word):
            generator.render(bad)
    for value in (np.nan, np.inf, -np.inf):
        bad = good.copy()
        bad[1, 2] = value
        with pytest.raises(CodeError, match="code 1"):
            generator.render(bad)


def test_an_enormous_code_gives_an_image_all_the_same(make) -> None:
    generator = make()
    images = generator.render(some_codes(1, generator.code_length) * np.float32(1e4))
    assert images.shape == (1, *generator.image_shape)


def test_warming_up_changes_nothing(make) -> None:
    generator = make()
    codes = some_codes(2, generator.code_length)
    before = generator.render(codes)
    generator.warm_up()
    np.testing.assert_array_equal(generator.render(codes), before)


def test_provenance_is_plain_and_complete(make) -> None:
    generator = make(device="cpu")
    words = json.loads(json.dumps(generator.provenance))
    assert words["device"] == generator.device == "cpu"
    assert words["code_length"] == generator.code_length
    assert tuple(words["image_shape"]) == generator.image_shape
    if words["generator"] == "dcgan":
        assert len(words["weights_sha256"]) == 64
        assert words["torch"] == torch.__version__


def test_torchs_settings_are_put_back(make) -> None:
    generator = make(threads=2 if torch.get_num_threads() == 1 else 1)
    before = torch.get_num_threads(), torch.get_float32_matmul_precision(), torch.is_inference_mode_enabled()
    generator.render(some_codes(1, generator.code_length))
    assert before == (
        torch.get_num_threads(),
        torch.get_float32_matmul_precision(),
        torch.is_inference_mode_enabled(),
    )


@pytest.mark.parametrize("device", ["gpu", "cuda:x", "cuda:99", "", "cpu:0"])
def test_a_device_that_is_not_there_is_refused(make, device: str) -> None:
    with pytest.raises(ModelError, match="device"):
        make(device=device)


def test_no_threads_at_all_are_refused(make) -> None:
    with pytest.raises(ModelError, match="threads"):
        make(threads=0)
