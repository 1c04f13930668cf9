"""MobileNetV2 is the published one: it loads strictly, and sees in pictures what ImageNet's network sees."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from matplotlib import cbook
from PIL import Image

from closedloop.errors import ModelError
from closedloop.models import WeightFile, resolve
from closedloop.models.cache import sha256_of
from hardware.subject.network import LAYERS, MobileNetV2, load_mobilenet

_MILITARY_UNIFORM = 652  # ImageNet's number of the class
_MEAN, _STD = torch.tensor([0.485, 0.456, 0.406]), torch.tensor([0.229, 0.224, 0.225])


@pytest.fixture(scope="module")
def network() -> MobileNetV2:
    return load_mobilenet(resolve("mobilenet-v2"))


def _photograph() -> torch.Tensor:
    with cbook.get_sample_data("grace_hopper.jpg") as file:
        image = Image.open(file).convert("RGB").resize((224, 224))
    light = torch.from_numpy(np.array(image)).float() / 255
    return ((light - _MEAN) / _STD).permute(2, 0, 1)[None]


@pytest.mark.models
def test_it_has_the_published_size_and_recognises_a_photograph(network: MobileNetV2) -> None:
    assert sum(p.numel() for p in network.parameters()) == 3_504_872
    with torch.inference_mode():
        scores = network(_photograph())
    assert int(scores.argmax()) == _MILITARY_UNIFORM


@pytest.mark.models
def test_a_cut_network_computes_what_the_whole_one_does_up_to_there(network: MobileNetV2) -> None:
    seen: dict[str, torch.Tensor] = {}
    for layer in ("features.3", "features.18"):
        number = int(layer.split(".")[1])
        network.features[number].register_forward_hook(
            lambda _module, _input, output, layer=layer: seen.__setitem__(layer, output.clone())
        )
    with torch.inference_mode():
        network(_photograph())
        for layer, expected in list(seen.items()):
            assert torch.equal(network.until(layer)(_photograph()), expected)
    assert seen["features.3"].shape == (1, 24, 56, 56)
    assert seen["features.18"].shape == (1, 1280, 7, 7)


def test_the_layers_end_where_the_network_does() -> None:
    assert len(MobileNetV2().features) == len(LAYERS)
    with pytest.raises(ModelError, match=r"features\.0 to features\.18"):
        MobileNetV2().until("features.19")


def test_weights_of_another_network_are_refused(tmp_path: Path) -> None:
    path = tmp_path / "other.pth"
    torch.save({"weight": torch.zeros(3)}, path)
    with pytest.raises(ModelError, match="another network"):
        load_mobilenet(WeightFile("other", path, sha256_of(path)))
