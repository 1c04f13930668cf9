"""The neurons of the simulated subject: channels of a network layer, scaled to firing rates."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt
import torch

from closedloop.errors import ModelError
from closedloop.models import WeightFile
from hardware.subject.network import load_mobilenet
from hardware.subject.pictures import Picture, calibration_pictures, resize

READOUTS = ("mean", "centre")
_LOW_HZ, _HIGH_HZ = 5.0, 80.0  # what a typical unit fires at the 5th and the 95th percentile of the pictures
_KNEE_HZ, _MAX_HZ = 160.0, 320.0  # a neuron can't fire without end: from the knee on, less and less is added
_IMAGENET_MEAN = torch.tensor([0.485, 0.456, 0.406]).view(1, 3, 1, 1)
_IMAGENET_STD = torch.tensor([0.229, 0.224, 0.225]).view(1, 3, 1, 1)


class Neurons:
    """Maps a picture to the evoked rate of each unit.

    A unit's rate is linear in its activation: 5 spikes/s at the 5th percentile of the calibration pictures,
    80 at the 95th, never below 0, and bent above 160 so that it stays below 320.

    Args:
        weights: the MobileNetV2 checkpoint.
        layer: ``features.0`` to ``features.18``.
        channels: channel of the layer for each unit.
        readout: ``"mean"`` over the picture, or ``"centre"`` for the place in the middle.
        input_px: width and height at which the network sees the picture.

    Raises:
        ModelError: bad weights, or no such layer, channel or readout.
    """

    def __init__(
        self,
        weights: WeightFile,
        layer: str,
        channels: Sequence[int],
        readout: str = "mean",
        input_px: int = 96,
    ) -> None:
        if readout not in READOUTS:
            raise ModelError(
                f"readout {readout!r}",
                found="no such readout",
                expected=" or ".join(READOUTS),
                remedy="Choose one.",
            )
        self._network = load_mobilenet(weights).until(layer)
        self._readout = readout
        self.input_px = input_px
        pictures = calibration_pictures()
        seen = np.concatenate([self._activations([picture]) for picture in pictures])
        if not channels or min(channels) < 0 or max(channels) >= seen.shape[1]:
            raise ModelError(
                f"channels {list(channels)} of {layer}",
                found="one that the layer does not have, or none at all",
                expected=f"numbers from 0 to {seen.shape[1] - 1}",
                remedy="Choose among these.",
            )
        self._channels = np.asarray(channels)
        self._low, self._high = np.percentile(seen[:, self._channels], (5, 95), axis=0)
        if np.any(self._high - self._low < 1e-6):
            raise ModelError(
                f"channels {list(channels)} of {layer}",
                found=f"a silent one: {self._channels[self._high - self._low < 1e-6].tolist()}",
                expected="channels that answer to pictures",
                remedy="Choose others.",
            )

    def __len__(self) -> int:
        return len(self._channels)

    def look(self, picture: Picture) -> npt.NDArray[np.float64]:
        """Return each unit's evoked rate in spikes/s, ``(units,)``, for a picture ``(h, w, 3)`` uint8."""
        rates: npt.NDArray[np.float64] = self.look_many([picture])[0]
        return rates

    def look_many(self, pictures: Sequence[Picture]) -> npt.NDArray[np.float64]:
        """Return rates ``(n, units)`` for ``n`` pictures at once (for offline work; same scale)."""
        place = (self._activations(pictures)[:, self._channels] - self._low) / (self._high - self._low)
        rate = np.maximum(_LOW_HZ + (_HIGH_HZ - _LOW_HZ) * place, 0.0)
        room = _MAX_HZ - _KNEE_HZ
        over = np.maximum(rate - _KNEE_HZ, 0.0)
        bent: npt.NDArray[np.float64] = np.minimum(rate, _KNEE_HZ) + room * (1 - np.exp(-over / room))
        return bent

    def _activations(self, pictures: Sequence[Picture]) -> npt.NDArray[np.float64]:
        small = np.stack([resize(picture, self.input_px) for picture in pictures])
        with torch.inference_mode():
            light = torch.from_numpy(small).permute(0, 3, 1, 2).float() / 255
            maps = self._network((light - _IMAGENET_MEAN) / _IMAGENET_STD)
            middle = maps[:, :, maps.shape[2] // 2, maps.shape[3] // 2]
            answer = maps.mean(dim=(2, 3)) if self._readout == "mean" else middle
        result: npt.NDArray[np.float64] = answer.double().numpy()
        return result
