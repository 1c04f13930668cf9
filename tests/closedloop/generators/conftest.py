"""Small DCGAN checkpoints made here, so that most tests need no model file."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from torch import nn

from closedloop.generators import Generator, make_generator
from closedloop.models import ModelStatus, find_model, status


def _dcgan_network(
    widths: tuple[int, ...] = (16, 8), code_length: int = 7, colours: int = 3, start: int = 4
) -> nn.Sequential:
    """Return torch's own DCGAN generator with random weights: what ours is measured against."""
    torch.manual_seed(1)
    layers: list[nn.Module] = []
    before = code_length
    for index, width in enumerate(widths):
        kernel, stride, padding = (start, 1, 0) if index == 0 else (4, 2, 1)
        norm = nn.BatchNorm2d(width)
        for values in (norm.weight, norm.bias, norm.running_mean):
            nn.init.normal_(values)
        nn.init.uniform_(norm.running_var, 0.5, 2.0)
        layers += [nn.ConvTranspose2d(before, width, kernel, stride, padding, bias=False), norm, nn.ReLU()]
        before = width
    layers += [nn.ConvTranspose2d(before, colours, 4, 2, 1, bias=False), nn.Tanh()]
    for layer in layers:
        if isinstance(layer, nn.ConvTranspose2d):
            nn.init.normal_(layer.weight, std=0.3)
    return nn.Sequential(*layers).eval()


def _checkpoint(path: Path, network: nn.Module, prefix: str = "main.") -> tuple[str, str]:
    """Save the network as DCGAN checkpoints are; return its path and SHA-256."""
    torch.save(
        {"netG_state_dict": {prefix + name: value for name, value in network.state_dict().items()}}, path
    )
    return str(path), hashlib.sha256(path.read_bytes()).hexdigest()


def _require_model(model: str) -> None:
    if status(find_model(model)) is not ModelStatus.READY:
        pytest.skip(f"{model} is not fetched: closedloop models fetch {model}")


@pytest.fixture
def dcgan_network() -> Callable[..., nn.Sequential]:
    return _dcgan_network


@pytest.fixture
def checkpoint() -> Callable[..., tuple[str, str]]:
    return _checkpoint


@pytest.fixture
def faces() -> None:
    _require_model("dcgan-faces")


@pytest.fixture(
    params=["pixels", "small dcgan", pytest.param("dcgan-faces", marks=pytest.mark.models)],
)
def make(request: pytest.FixtureRequest, tmp_path: Path) -> Callable[..., Generator]:
    """Make each generator in turn: the contract holds for all of them."""

    def build(**how: object) -> Generator:
        if request.param == "pixels":
            return make_generator("pixels", parameters={"height_px": 6, "width_px": 4}, **how)
        if request.param == "small dcgan":
            path, sha256 = _checkpoint(tmp_path / "small.pth", _dcgan_network())
            return make_generator("dcgan", path, sha256=sha256, **how)
        _require_model("dcgan-faces")
        return make_generator("dcgan", "dcgan-faces", **how)

    return build
