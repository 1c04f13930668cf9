"""The units fire 5 to 80 spikes/s over a broad set of pictures, and can be driven above that."""

from __future__ import annotations

import numpy as np
import pytest

from closedloop.errors import ModelError
from closedloop.models import resolve
from hardware.subject.neurons import Neurons
from hardware.subject.options import SubjectOptions
from hardware.subject.pictures import calibration_pictures, resize

pytestmark = pytest.mark.models


@pytest.fixture(scope="module")
def neurons() -> Neurons:
    options = SubjectOptions()
    return Neurons(resolve("mobilenet-v2"), options.layer, options.channels)


def test_rates_over_the_calibration_pictures_are_those_promised(neurons: Neurons) -> None:
    rates = np.array([neurons.look(picture) for picture in calibration_pictures()])
    low, high = np.percentile(rates, (5, 95), axis=0)
    np.testing.assert_allclose(low, 5.0, atol=0.5)
    np.testing.assert_allclose(high, 80.0, atol=0.5)
    assert rates.min() >= 0
    assert 80 < rates.max() < 320


def test_many_at_once_are_as_one_by_one_and_order_matters(neurons: Neurons) -> None:
    pictures = calibration_pictures(6)
    together = neurons.look_many(pictures)
    np.testing.assert_allclose(together[3], neurons.look(pictures[3]), rtol=1e-3, atol=1e-3)
    assert np.abs(together[2] - together[3]).max() > 1


def test_what_stands_larger_on_the_screen_is_the_same_picture(neurons: Neurons) -> None:
    picture = calibration_pictures(3)[2]  # soft blobs, since enlarging blurs
    large = resize(picture, 300)
    np.testing.assert_allclose(neurons.look(large), neurons.look(picture), atol=15)


@pytest.mark.parametrize(("channels", "readout"), [([1280], "mean"), ([], "mean"), ([0], "loudest")])
def test_no_such_unit(channels: list[int], readout: str) -> None:
    with pytest.raises(ModelError):
        Neurons(resolve("mobilenet-v2"), "features.18", channels, readout)


def test_calibration_pictures_are_always_the_same_and_differ() -> None:
    one, other = calibration_pictures(10), calibration_pictures(10)
    assert all(np.array_equal(a, b) for a, b in zip(one, other, strict=True))
    assert len({picture.tobytes() for picture in one}) == 10
