"""MobileNetV2, cut off after a layer: the visual system of the simulated subject.

Written from Sandler et al. 2018, "MobileNetV2: Inverted Residuals and Linear Bottlenecks", table 2, with the
parameters named as in torchvision's published checkpoint so that this loads unchanged.
"""

from __future__ import annotations

from torch import Tensor, nn

from closedloop.errors import ModelError
from closedloop.models import WeightFile
from closedloop.models.weights import load_tensors

# expansion, channels out, repeats, stride of the first repeat (Sandler et al. 2018, table 2)
_STAGES = (
    (1, 16, 1, 1),
    (6, 24, 2, 2),
    (6, 32, 3, 2),
    (6, 64, 4, 2),
    (6, 96, 3, 1),
    (6, 160, 3, 2),
    (6, 320, 1, 1),
)
_STEM_CHANNELS = 32
_LAST_CHANNELS = 1280
_CLASSES = 1000

LAYERS = tuple(f"features.{n}" for n in range(19))
"""Layers to read units from; ``features.0`` is the stem, 1 to 17 the blocks, 18 the last convolution."""


class InvertedResidual(nn.Module):
    """One block: expand, filter each channel, project linearly; with a shortcut where shapes allow."""

    def __init__(self, inputs: int, outputs: int, stride: int, expansion: int) -> None:
        super().__init__()
        hidden = inputs * expansion
        steps: list[nn.Module] = []
        if expansion != 1:
            steps.append(_conv_bn_relu(inputs, hidden, kernel=1))
        steps.append(_conv_bn_relu(hidden, hidden, kernel=3, stride=stride, groups=hidden))
        steps += [nn.Conv2d(hidden, outputs, 1, bias=False), nn.BatchNorm2d(outputs)]
        self.conv = nn.Sequential(*steps)
        self.shortcut = stride == 1 and inputs == outputs

    def forward(self, x: Tensor) -> Tensor:
        """Map ``(n, inputs, h, w)`` to ``(n, outputs, h / stride, w / stride)``."""
        y: Tensor = self.conv(x)
        return x + y if self.shortcut else y


class MobileNetV2(nn.Module):
    """The whole network: ``features`` and the classifier of the 1,000 ImageNet classes."""

    def __init__(self) -> None:
        super().__init__()
        layers: list[nn.Module] = [_conv_bn_relu(3, _STEM_CHANNELS, kernel=3, stride=2)]
        channels = _STEM_CHANNELS
        for expansion, outputs, repeats, stride in _STAGES:
            for n in range(repeats):
                layers.append(InvertedResidual(channels, outputs, stride if n == 0 else 1, expansion))
                channels = outputs
        layers.append(_conv_bn_relu(channels, _LAST_CHANNELS, kernel=1))
        self.features = nn.Sequential(*layers)
        self.classifier = nn.Sequential(nn.Dropout(0.2), nn.Linear(_LAST_CHANNELS, _CLASSES))

    def forward(self, x: Tensor) -> Tensor:
        """Map pictures ``(n, 3, h, w)``, normalised as ImageNet's, to class scores ``(n, 1000)``."""
        scores: Tensor = self.classifier(self.features(x).mean(dim=(2, 3)))
        return scores

    def until(self, layer: str) -> nn.Sequential:
        """Return the network up to and with a layer of ``LAYERS``; parameters are shared, not copied."""
        return nn.Sequential(*list(self.features)[: layer_number(layer) + 1])


def layer_number(layer: str) -> int:
    """Return n of ``features.n``.

    Raises:
        ModelError: there is no such layer.
    """
    if layer not in LAYERS:
        raise ModelError(
            f"layer {layer!r}",
            found="no such layer in MobileNetV2",
            expected=f"{LAYERS[0]} to {LAYERS[-1]}",
            remedy="Choose one of these.",
        )
    return LAYERS.index(layer)


def load_mobilenet(weights: WeightFile) -> MobileNetV2:
    """Load the network from torchvision's checkpoint, in inference mode; nothing in the file is run.

    Raises:
        ModelError: the file is missing, is no checkpoint, or is one of another network.
        HashMismatchError: it is not the registered file.
    """
    network = MobileNetV2()
    try:
        network.load_state_dict(load_tensors(weights.path, weights.sha256), strict=True)
    except RuntimeError as error:
        raise ModelError(
            str(weights.path),
            found=f"tensors of another network ({error})"[:300],
            expected="MobileNetV2's parameters, named as torchvision names them",
            remedy="Name the model 'mobilenet-v2', or leave the weights out.",
        ) from error
    return network.eval().requires_grad_(False)


def _conv_bn_relu(inputs: int, outputs: int, kernel: int, stride: int = 1, groups: int = 1) -> nn.Sequential:
    return nn.Sequential(
        nn.Conv2d(inputs, outputs, kernel, stride, (kernel - 1) // 2, groups=groups, bias=False),
        nn.BatchNorm2d(outputs),
        nn.ReLU6(inplace=True),
    )
