"""What a DCGAN generator's state dict says about the network it belongs to.

The family (Radford, Metz & Chintala 2016, and the checkpoints made after it): transposed convolutions
without bias, each but the last followed by batch normalisation. The first makes a small square of a code
(stride 1, no padding), each later one doubles the size (4 x 4 kernel, stride 2, padding 1). Widths, the
code's length, the number of layers, and so the image's size, are read from the shapes.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from closedloop.errors import ModelError

_EPSILON = (
    1e-5  # batch normalisation's, which checkpoints do not hold: torch's default, which the family uses
)


@dataclass(frozen=True)
class Layer:
    """A transposed convolution with its batch normalisation folded in.

    Attributes:
        kernel: (channels in, channels out, k, k).
        bias: (channels out,).
    """

    kernel: Tensor
    bias: Tensor


def read_layers(state: dict[str, Tensor], where: str) -> list[Layer]:
    """Return the layers of a state dict in order, batch normalisation folded in.

    Folding is done in float64 and rounded once, so it costs no accuracy.

    Args:
        state: names with tensors, as in ``main.0.weight`` (transposed convolution), ``main.1.weight``,
            ``.bias``, ``.running_mean``, ``.running_var`` (batch normalisation) and so on. What stands
            before the number may differ.
        where: the file, for errors.

    Raises:
        ModelError: the names or shapes are not those of the family; names the first key that is not.
    """
    names = sorted((name for name, value in state.items() if value.ndim == 4), key=_position)
    if len(names) < 2:
        raise _wrong(where, f"{len(names)} keys with a 4-d kernel", "at least two")
    used: set[str] = set()
    layers: list[Layer] = []
    for index, name in enumerate(names):
        kernel = state[name]
        _check_kernel(kernel, name, index, layers[-1].kernel.shape[1] if layers else None, where)
        last = index == len(names) - 1
        used.add(name)
        layers.append(
            Layer(kernel.float(), torch.zeros(kernel.shape[1])) if last else _folded(state, name, used, where)
        )
    if layers[-1].kernel.shape[1] not in (1, 3):
        raise _wrong(where, f"key {names[-1]!r} with {layers[-1].kernel.shape[1]} colours", "1 or 3")
    for name in state:
        if name not in used and not name.endswith("num_batches_tracked"):
            raise _wrong(
                where, f"key {name!r}", "no more keys than transposed convolutions and batch normalisations"
            )
    return layers


def _folded(state: dict[str, Tensor], name: str, used: set[str], where: str) -> Layer:
    before, number = name.removesuffix(".weight").rpartition(".")[::2]
    channels = state[name].shape[1]
    parts: list[Tensor] = []
    for part in ("weight", "bias", "running_mean", "running_var"):
        key = f"{before}.{int(number) + 1}.{part}" if before else f"{int(number) + 1}.{part}"
        if key not in state:
            raise _wrong(where, f"no key {key!r}", f"the batch normalisation that follows {name!r}")
        values = state[key].double()
        good = tuple(values.shape) == (channels,) and bool(torch.isfinite(values).all())
        if not good or (part == "running_var" and bool((values < 0).any())):
            raise _wrong(
                where,
                f"key {key!r} of shape {tuple(values.shape)}"
                + (", or values that can't be" if values.ndim == 1 else ""),
                f"{channels} finite values, a variance not below 0",
            )
        used.add(key)
        parts.append(values)
    gain, bias, mean, variance = parts
    scale = gain / torch.sqrt(variance + _EPSILON)
    return Layer((state[name].double() * scale[None, :, None, None]).float(), (bias - mean * scale).float())


def _check_kernel(kernel: Tensor, name: str, index: int, channels: int | None, where: str) -> None:
    shape = tuple(kernel.shape)
    if not name.endswith(".weight") or not _position(name):
        raise _wrong(where, f"key {name!r}", "names that end in '.NUMBER.weight'")
    if shape[2] != shape[3] or (index > 0 and shape[2] != 4):
        expected = "a 4 x 4 kernel, which doubles the size" if index else "a square kernel"
        raise _wrong(where, f"key {name!r} of shape {shape}", expected)
    if channels is not None and shape[0] != channels:
        raise _wrong(
            where, f"key {name!r} of shape {shape}", f"{channels} channels in, as many as come out before it"
        )
    if not kernel.is_floating_point() or not bool(torch.isfinite(kernel).all()):
        raise _wrong(
            where, f"key {name!r} of type {kernel.dtype}, or not finite", "finite floating-point values"
        )


def _position(name: str) -> tuple[int, ...]:
    return tuple(int(part) for part in name.split(".") if part.isdecimal())


def _wrong(where: str, found: str, expected: str) -> ModelError:
    return ModelError(
        where,
        found=found,
        expected=f"a DCGAN generator's state dict: {expected}",
        remedy="Is this the generator, and not the discriminator or another network? docs/generators.md says what fits.",
    )
