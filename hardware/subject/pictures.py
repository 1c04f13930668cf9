"""A broad set of pictures made by rule, on which the simulated subject's tuning is scaled.

They are the subject's own: the same ones always, and none of them from the generator that a loop uses, so
that the scale of the responses owes nothing to the experiment.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import numpy.typing as npt
from PIL import Image

Picture = npt.NDArray[np.uint8]
_Float = npt.NDArray[np.float64]
_SEED = 20_181_113  # any number does; a constant, so that a unit's tuning is the same on every machine


def calibration_pictures(count: int = 128, size_px: int = 96) -> list[Picture]:
    """Return ``count`` pictures ``(size_px, size_px, 3)`` uint8: gratings, noise, blobs, shapes, drawn faces."""
    kinds: tuple[Callable[[np.random.Generator, int], _Float], ...] = (
        _grating,
        _noise,
        _blobs,
        _shapes,
        _face,
    )
    children = np.random.SeedSequence(_SEED).spawn(count)
    pictures = []
    for n, child in enumerate(children):
        generator = np.random.default_rng(child)
        light = np.clip(kinds[n % len(kinds)](generator, size_px), 0.0, 1.0)
        pictures.append(np.round(light * 255).astype(np.uint8))
    return pictures


def resize(picture: Picture, size_px: int) -> Picture:
    """Return the picture ``(h, w, 3)`` as ``(size_px, size_px, 3)``, bilinear and without aliasing."""
    image = Image.fromarray(picture)
    return np.asarray(image.resize((size_px, size_px), Image.Resampling.BILINEAR))


def _grid(size: int) -> tuple[_Float, _Float]:
    axis = np.linspace(-1.0, 1.0, size)
    x, y = np.meshgrid(axis, axis)
    return x, y


def _grating(generator: np.random.Generator, size: int) -> _Float:
    x, y = _grid(size)
    angle, cycles, phase = generator.uniform((0, 0.5, 0), (np.pi, 12, 2 * np.pi))
    wave = np.sin(np.pi * cycles * (x * np.cos(angle) + y * np.sin(angle)) + phase)
    one, other = generator.uniform(0, 1, (2, 3))
    light: _Float = one + (other - one) * (wave[..., None] * 0.5 + 0.5)
    return light


def _noise(generator: np.random.Generator, size: int) -> _Float:
    # amplitude 1/f^exponent as in natural scenes, each colour channel sharing a part with the others
    frequency = np.hypot(*np.meshgrid(np.fft.fftfreq(size), np.fft.fftfreq(size)))
    frequency[0, 0] = frequency[0, 1]
    amplitude = frequency ** -generator.uniform(0.5, 1.8)
    white = generator.normal(size=(4, size, size))
    planes = np.fft.ifft2(np.fft.fft2(white) * amplitude).real
    planes /= planes.std(axis=(1, 2), keepdims=True)
    mixed = planes[:3] * generator.uniform(0, 0.8) + planes[3]
    light: _Float = np.moveaxis(mixed * generator.uniform(0.08, 0.25) + generator.uniform(0.3, 0.7), 0, -1)
    return light


def _blobs(generator: np.random.Generator, size: int) -> _Float:
    x, y = _grid(size)
    light = np.ones((size, size, 3)) * generator.uniform(0, 1, 3)
    for _ in range(generator.integers(2, 12)):
        cx, cy, width = generator.uniform((-1, -1, 0.05), (1, 1, 0.6))
        bump = np.exp(-((x - cx) ** 2 + (y - cy) ** 2) / (2 * width**2))[..., None]
        light = light * (1 - bump) + generator.uniform(0, 1, 3) * bump
    return light


def _shapes(generator: np.random.Generator, size: int) -> _Float:
    x, y = _grid(size)
    light = np.ones((size, size, 3)) * generator.uniform(0, 1, 3)
    for _ in range(generator.integers(2, 10)):
        cx, cy, a, b, angle = generator.uniform((-1, -1, 0.05, 0.05, 0), (1, 1, 0.7, 0.7, np.pi))
        u = (x - cx) * np.cos(angle) + (y - cy) * np.sin(angle)
        v = (y - cy) * np.cos(angle) - (x - cx) * np.sin(angle)
        inside = (
            (np.abs(u) < a) & (np.abs(v) < b) if generator.random() < 0.5 else (u / a) ** 2 + (v / b) ** 2 < 1
        )
        light[inside] = generator.uniform(0, 1, 3)
    return light


def _face(generator: np.random.Generator, size: int) -> _Float:
    """Draw an oval with eyes, brows, a mouth and hair, on noise: enough to reach units that like faces."""
    x, y = _grid(size)
    light = _noise(generator, size) * generator.uniform(0.2, 1.0)
    cx, cy = generator.uniform(-0.2, 0.2, 2)
    width, height = generator.uniform((0.4, 0.6), (0.7, 0.95))
    x, y = (x - cx) / width, (y - cy) / height
    skin = np.array([1.0, 0.78, 0.65]) * generator.uniform(0.35, 1.0)
    hair = generator.uniform(0, 0.6, 3) * np.array([1.0, 0.8, 0.6])
    shade = 1 - generator.uniform(0, 0.5) * np.clip(x * generator.choice([-1, 1]) * 0.5 + 0.5, 0, 1)
    light[x**2 + (y + 0.15) ** 2 < 1.25] = hair
    oval = x**2 + (y - 0.05) ** 2 < 0.8
    light[oval] = (skin * shade[..., None])[oval]
    for side in (-0.38, 0.38):
        light[((x - side) / 0.2) ** 2 + ((y + 0.15) / 0.09) ** 2 < 1] = 0.9
        light[((x - side) / 0.09) ** 2 + ((y + 0.15) / 0.09) ** 2 < 1] = generator.uniform(0, 0.3)
        light[(np.abs(x - side) < 0.22) & (np.abs(y + 0.35) < 0.04)] = hair
    light[(x / 0.35) ** 2 + ((y - 0.5) / 0.09) ** 2 < 1] = (0.7, 0.25, 0.25)
    return light
