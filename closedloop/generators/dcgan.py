"""DCGAN: images from the deep convolutional generator of Radford, Metz & Chintala 2016."""

from __future__ import annotations

from typing import Any, ClassVar

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from closedloop.errors import CodeError, ModelError
from closedloop.generators import base
from closedloop.generators.dcgan_layout import read_layers
from closedloop.generators.device import choose_device, default_threads, describe, exact
from closedloop.generators.transposed import Doubling, FromCode
from closedloop.models import WeightFile
from closedloop.models.weights import load_tensors

# How many codes go through the network at once, always: a matrix product may choose another order of its
# sums for another number of rows, so a last, smaller batch could change a byte. One by one costs nothing on
# a CPU (benchmarks/rendering.py); on a GPU a group of eight takes as long as one.
_AT_ONCE = {"cpu": 1, "cuda": 8}


class DcganGenerator:
    """DCGAN of any width, depth and code length of its family; see ``dcgan_layout``.

    Colour values are ``rint((tanh + 1) * 127.5)``, halves to even. On one machine with one version of torch the
    bytes are the same at every call, however the codes are cut into calls; another processor, GPU or version
    of torch may differ by 1 in 255.
    """

    class Parameters(base.Parameters):
        """Parameters of ``dcgan``."""

        state_key: str | None = None

    default_weights: ClassVar[str | None] = "dcgan-faces"

    def __init__(
        self, parameters: Parameters, weights: WeightFile | None, device: str, threads: int | None
    ) -> None:
        if weights is None:
            raise ModelError(
                "generator 'dcgan'",
                found="no weights",
                expected="a model id or a weight file",
                remedy="Name one in generator.weights.",
            )
        self._device = choose_device(device, "generator 'dcgan'")
        self._threads = threads or default_threads()
        self._weights = weights
        state = load_tensors(weights.path, weights.sha256, key=parameters.state_key)
        layers = read_layers(state, str(weights.path))
        self._first = FromCode(layers[0].kernel.to(self._device), layers[0].bias.to(self._device))
        self._rest = [
            Doubling(layer.kernel.to(self._device), layer.bias.to(self._device)) for layer in layers[1:]
        ]
        side = layers[0].kernel.shape[2] * 2 ** len(self._rest)
        self.code_length = int(layers[0].kernel.shape[0])
        self.image_shape = (side, side, 3)
        self.device = str(self._device)

    def render(self, codes: npt.NDArray[np.float32]) -> npt.NDArray[np.uint8]:
        """Return the images ``(n, h, w, 3)`` of ``codes`` ``(n, d)``; see ``Generator.render``."""
        codes = base.checked_codes(codes, self.code_length, "generator 'dcgan'")
        n, at_once = len(codes), _AT_ONCE[self._device.type]
        images = np.empty((n, *self.image_shape), np.uint8)
        with exact(self._device, self._threads):
            for start in range(0, n, at_once):
                some = codes[start : start + at_once]
                group = torch.zeros(
                    (at_once, self.code_length)
                )  # torch's own memory: aligned alike every time
                group[: len(some)] = torch.tensor(some)
                images[start : start + at_once] = (
                    self._images(group.to(self._device)).cpu().numpy()[: len(some)]
                )
        return images

    def _images(self, codes: Tensor) -> Tensor:
        x = self._first(codes)
        for layer in self._rest:
            x = layer(torch.relu_(x))
        if not bool(torch.isfinite(x).all()):
            raise CodeError(
                "generator 'dcgan'",
                found="codes so large that the network overflows",
                expected="elements of the size of N(0, 1), far below 1e30",
                remedy="Check the thread's initial_codes and the optimizer's mutation_size.",
            )
        levels = torch.tanh(x).add_(1).mul_(127.5).round_().to(torch.uint8)
        return levels if levels.shape[3] == 3 else levels.expand(*levels.shape[:3], 3)

    def warm_up(self) -> None:
        """Render twice, so that memory is taken and the libraries have chosen their kernels."""
        for _ in range(2):
            self.render(np.zeros((2 * _AT_ONCE[self._device.type], self.code_length), np.float32))

    @property
    def provenance(self) -> dict[str, Any]:
        """What made these images: weights with SHA-256, device, versions."""
        return {
            "generator": "dcgan",
            "weights": self._weights.name,
            "weights_sha256": self._weights.sha256,
            "code_length": self.code_length,
            "image_shape": list(self.image_shape),
            **describe(self._device, self._threads),
            "numpy": np.__version__,
        }
