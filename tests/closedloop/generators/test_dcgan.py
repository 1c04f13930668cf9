from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import nn

from closedloop.errors import CodeError, ModelError
from closedloop.generators import make_generator
from closedloop.generators.dcgan_layout import read_layers


def some_codes(n: int, length: int) -> np.ndarray:
    return np.random.default_rng(5).standard_normal((n, length)).astype(np.float32)


def by_torch(network: nn.Module, codes: np.ndarray) -> np.ndarray:
    """Render in float64 with torch's own layers, in the documented rounding."""
    with torch.inference_mode():
        values = network.double()(torch.from_numpy(codes).double()[:, :, None, None])
    return np.rint((values.permute(0, 2, 3, 1).numpy() + 1) * 127.5)


@pytest.mark.parametrize(
    ("how", "side"),
    [
        ({}, 16),
        ({"widths": (16,)}, 8),
        ({"widths": (32, 16, 8, 4, 4)}, 128),
        ({"code_length": 256}, 16),
        ({"start": 7}, 28),
    ],
)
@pytest.mark.parametrize("prefix", ["main.", "", "module.main."])
def test_any_width_depth_and_code_length_renders_as_torchs_layers_do(
    tmp_path: Path, dcgan_network, checkpoint, how: dict[str, Any], side: int, prefix: str
) -> None:
    network = dcgan_network(**how)
    path, sha256 = checkpoint(tmp_path / "w.pth", network, prefix)
    generator = make_generator("dcgan", path, sha256=sha256, device="cpu")
    assert generator.image_shape == (side, side, 3)
    codes = some_codes(5, generator.code_length)
    expected = by_torch(network, codes)
    images = generator.render(codes)
    assert np.abs(images - expected).max() <= 1
    assert (images != expected).mean() < 0.001
    assert images.std() > 20


def test_one_colour_becomes_grey(tmp_path: Path, dcgan_network, checkpoint) -> None:
    network = dcgan_network(colours=1)
    path, sha256 = checkpoint(tmp_path / "w.pth", network)
    images = make_generator("dcgan", path, sha256=sha256).render(some_codes(2, 7))
    assert images.shape == (2, 16, 16, 3)
    assert np.abs(images - by_torch(network, some_codes(2, 7))).max() <= 1


def test_weights_of_half_precision_are_read(tmp_path: Path, dcgan_network, checkpoint) -> None:
    path, sha256 = checkpoint(tmp_path / "w.pth", dcgan_network().half())
    assert make_generator("dcgan", path, sha256=sha256).render(some_codes(1, 7)).std() > 20


def without(name: str) -> Any:
    return lambda state: state.pop(name)


def put(name: str, value: torch.Tensor) -> Any:
    return lambda state: state.__setitem__(name, value)


@pytest.mark.parametrize(
    ("change", "named"),
    [
        (without("main.1.running_var"), "main.1.running_var"),
        (without("main.4.weight"), "main.4.weight"),
        (without("main.3.weight"), "main.6.weight"),
        (put("main.1.bias", torch.ones(3)), "main.1.bias"),
        (put("main.1.running_mean", torch.full((16,), torch.nan)), "main.1.running_mean"),
        (put("main.1.running_var", torch.full((16,), -1.0)), "main.1.running_var"),
        (put("main.3.weight", torch.ones(16, 8, 3, 3)), "main.3.weight"),
        (put("main.3.weight", torch.ones(16, 8, 4, 5)), "main.3.weight"),
        (put("main.3.weight", torch.full((16, 8, 4, 4), torch.inf)), "main.3.weight"),
        (put("main.3.weight", torch.ones(16, 8, 4, 4, dtype=torch.int32)), "main.3.weight"),
        (put("main.6.weight", torch.ones(8, 5, 4, 4)), "main.6.weight"),
        (put("main.6.bias", torch.ones(3)), "main.6.bias"),
        (put("extra.weight", torch.ones(3)), "extra.weight"),
        (put("weight", torch.ones(3, 3, 4, 4)), "weight"),
    ],
)
def test_a_network_of_another_family_is_refused_by_the_key_that_does_not_fit(
    dcgan_network, change, named
) -> None:
    state = {f"main.{name}": value for name, value in dcgan_network().state_dict().items()}
    assert len(read_layers(state, "w.pth")) == 3
    change(state)
    with pytest.raises(ModelError) as caught:
        read_layers(state, "w.pth")
    assert f"{named!r}" in caught.value.found + caught.value.expected
    assert caught.value.where == "w.pth"


def test_codes_that_overflow_the_network_are_refused(tmp_path: Path, dcgan_network, checkpoint) -> None:
    path, sha256 = checkpoint(tmp_path / "w.pth", dcgan_network())
    with pytest.raises(CodeError, match="overflows"):
        make_generator("dcgan", path, sha256=sha256).render(np.full((1, 7), 3e38, np.float32))


def test_a_classifier_is_no_generator() -> None:
    with pytest.raises(ModelError, match="DCGAN"):
        read_layers({"fc.weight": torch.ones(3, 3)}, "w.pth")


def test_a_checkpoint_of_two_networks_needs_the_generators_name(
    tmp_path: Path, dcgan_network, checkpoint
) -> None:
    import hashlib

    state = {f"main.{name}": value for name, value in dcgan_network().state_dict().items()}
    path = tmp_path / "both.pth"
    torch.save({"G": state, "D": {"main.0.weight": torch.ones(2, 2, 4, 4)}}, path)
    sha256 = hashlib.sha256(path.read_bytes()).hexdigest()
    with pytest.raises(ModelError, match="state_key"):
        make_generator("dcgan", str(path), sha256=sha256)
    make_generator("dcgan", str(path), sha256=sha256, parameters={"state_key": "G"})


@pytest.mark.models
def test_the_default_makes_faces_the_right_way_up(faces: None) -> None:
    generator = make_generator("dcgan", device="cpu")
    assert (generator.code_length, generator.image_shape) == (100, (64, 64, 3))
    images = generator.render(some_codes(200, 100)).astype(float)
    mean = images.mean(axis=0)
    middle = mean[20:44, 20:44].mean(axis=(0, 1))
    assert (
        middle[0] > middle[1] > middle[2]
    )  # skin is redder than green, greener than blue: the channels' order
    face = mean[:, :, 0]
    assert (
        np.abs(face - face[:, ::-1]).mean() < np.abs(face - face[::-1]).mean()
    )  # left and right alike, not top and bottom
    eyes, cheeks = mean[26:30, 20:44].mean(), mean[36:40, 20:44].mean()
    assert eyes < cheeks  # dark eyes stand above lighter cheeks: the top row comes first


@pytest.mark.models
def test_the_default_agrees_with_torchs_layers(faces: None) -> None:
    from closedloop.models import find_model, path_of
    from closedloop.models.weights import load_tensors

    widths = (100, 512, 256, 128, 64, 3)
    layers: list[nn.Module] = []
    for index in range(5):
        stride, padding = (1, 0) if index == 0 else (2, 1)
        layers.append(nn.ConvTranspose2d(widths[index], widths[index + 1], 4, stride, padding, bias=False))
        layers += [nn.BatchNorm2d(widths[index + 1]), nn.ReLU()] if index < 4 else [nn.Tanh()]
    network = nn.Sequential(*layers).eval()
    state = load_tensors(path_of("dcgan-faces"), find_model("dcgan-faces").sha256)
    network.load_state_dict({name.removeprefix("main."): value for name, value in state.items()})
    codes = some_codes(8, 100)
    difference = np.abs(make_generator("dcgan", device="cpu").render(codes) - by_torch(network, codes))
    assert difference.max() <= 1
    assert (difference > 0).mean() < 0.001


@pytest.mark.models
def test_a_gpu_renders_as_the_cpu_does(faces: None) -> None:
    if not torch.cuda.is_available():
        pytest.skip("no CUDA device here: the GPU's images are not compared with the CPU's")
    codes = some_codes(40, 100)
    on_gpu = make_generator("dcgan", device="cuda")
    images = on_gpu.render(codes)
    difference = np.abs(images.astype(int) - make_generator("dcgan", device="cpu").render(codes))
    assert difference.max() <= 1
    for cut in (1, 3, 7, 40):
        pieces = [on_gpu.render(codes[start : start + cut]) for start in range(0, 40, cut)]
        np.testing.assert_array_equal(np.concatenate(pieces), images)
