"""Reference pictures: images that do not evolve, read from a folder, and which of them a generation shows."""

from __future__ import annotations

import hashlib
import io
import struct
import warnings
import zlib
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from PIL import Image, ImageOps

from closedloop.errors import ReferenceImageError
from closedloop.ports import Pixels

FORMATS = ("PNG", "JPEG", "BMP")
SUFFIXES = frozenset({".png", ".jpg", ".jpeg", ".bmp"})
# Files with these suffixes are pictures, too, and surely meant to be shown: passing over them in silence
# would change the experiment.
OTHER_IMAGE_SUFFIXES = frozenset({".gif", ".heic", ".svg", ".tif", ".tiff", ".webp"})
LARGEST_FILE_BYTES = 100 * 1024 * 1024
LARGEST_IMAGE_PX = 50_000_000
RESAMPLING = Image.Resampling.LANCZOS

_BROKEN = (OSError, SyntaxError, ValueError, EOFError, IndexError, KeyError, struct.error, zlib.error)


@dataclass(frozen=True, eq=False)
class ReferenceImage:
    """A reference picture as it is shown.

    Attributes:
        name: the file's name.
        sha256: of the file.
        original_size_px: width and height in the file, after its EXIF orientation.
        pixels: (h, w, 3) uint8, of the generator's image size.
    """

    name: str
    sha256: str
    original_size_px: tuple[int, int]
    pixels: Pixels


def image_files(folder: Path) -> tuple[Path, ...]:
    """Return a folder's PNG, JPEG and BMP files by name; hidden files and other kinds of files are left out.

    Raises:
        ReferenceImageError: no such folder, no images in it, or images of a type that is not read.
    """
    if not folder.is_dir():
        raise ReferenceImageError(
            str(folder),
            found="a file" if folder.exists() else "no such folder",
            expected="a folder of PNG, JPEG or BMP files",
            remedy="Correct the folder's name; a relative path starts at the protocol's folder.",
        )
    try:
        files = sorted(
            (path for path in folder.iterdir() if not path.name.startswith(".")), key=lambda p: p.name
        )
    except OSError as error:
        raise ReferenceImageError(
            str(folder),
            found=f"a folder that can't be read ({error.strerror})",
            expected="a folder of PNG, JPEG or BMP files",
            remedy="Check who may read it.",
        ) from error
    others = [path.name for path in files if path.suffix.lower() in OTHER_IMAGE_SUFFIXES]
    if others:
        raise ReferenceImageError(
            str(folder / others[0]),
            found=f"an image of type {Path(others[0]).suffix}",
            expected="PNG, JPEG or BMP files",
            remedy="Convert it to PNG, or move it elsewhere.",
        )
    images = tuple(path for path in files if path.suffix.lower() in SUFFIXES and path.is_file())
    if not images:
        raise ReferenceImageError(
            str(folder),
            found=f"{len(files)} files and folders, none of them an image" if files else "an empty folder",
            expected="PNG, JPEG or BMP files",
            remedy="Put the images there, or have them made of codes instead.",
        )
    return images


def load_references(
    folder: Path, image_shape: tuple[int, int, int], background: float = 0.0
) -> tuple[ReferenceImage, ...]:
    """Read the reference images of a folder, by name, as the generator's images look.

    Each is turned as its EXIF orientation says, put on the background where it is transparent, made RGB (a
    grey one with three equal channels), cut to the shape of the generator's images around its middle, and
    resized to their size with a Lanczos filter. Colour profiles are not applied.

    Args:
        folder: absolute, or from the current folder.
        image_shape: height, width and 3 of the generator's images.
        background: the display's grey level, -1 (black) to 1 (white).

    Raises:
        ReferenceImageError: no folder, no images, or one that is broken or too large.
    """
    return tuple(load_image(path, image_shape, background) for path in image_files(folder))


def choose(
    n_available: int, per_generation: int, rng: np.random.Generator, generation: int = 0
) -> tuple[int, ...]:
    """Return which references a generation shows, as numbers from 0, in no meaningful order.

    The references are shuffled once and then taken in turn, generation after generation, so that after any
    generation each was shown as often as any other, or once more. Nothing is shown twice in a generation.

    Args:
        n_available: how many there are.
        per_generation: how many to show; all of them, if there are not as many.
        rng: draws the shuffle; seeded alike for every generation, or the turns of one generation know
            nothing of the others'.
        generation: index of the generation, from 0.
    """
    if n_available == 0:
        return ()
    turns = rng.permutation(n_available)
    shown = min(per_generation, n_available)
    return tuple(int(turns[(generation * shown + i) % n_available]) for i in range(shown))


def load_image(
    path: Path, image_shape: tuple[int, int, int], background: float = 0.0, *, pad: bool = False
) -> ReferenceImage:
    """Read one image and bring it to a shape, as ``load_references`` does.

    Args:
        path: a PNG, JPEG or BMP file.
        image_shape: height, width and 3.
        background: the display's grey level, -1 (black) to 1 (white).
        pad: put background around an image of another shape, instead of cutting it.

    Raises:
        ReferenceImageError: broken or too large.
    """
    level = grey_level(background)
    image, data = _read(path, level)
    pixels = fit_image(image, image_shape, level if pad else None)
    return ReferenceImage(path.name, hashlib.sha256(data).hexdigest(), image.size, pixels)


def image_size(path: Path) -> tuple[int, int]:
    """Return width and height of an image in pixels, after its EXIF orientation.

    Raises:
        ReferenceImageError: broken or too large.
    """
    return _read(path, 0)[0].size


def _read(path: Path, level: int) -> tuple[Image.Image, bytes]:
    """Return an image in RGB and the right way up, and the bytes of its file."""
    try:
        if path.stat().st_size > LARGEST_FILE_BYTES:
            raise _error(path, f"a file above {LARGEST_FILE_BYTES // 2**20} MiB", "Make it smaller.")
        data = path.read_bytes()
        with warnings.catch_warnings():
            # the size is checked below, against a limit of our own
            warnings.simplefilter("ignore", Image.DecompressionBombWarning)
            image = Image.open(io.BytesIO(data), formats=FORMATS)
        width, height = image.size
        if width * height > LARGEST_IMAGE_PX:
            raise _error(
                path, f"{width} x {height} pixels", "Make it smaller; it is shown at the generator's size."
            )
        upright = ImageOps.exif_transpose(image)  # also reads the pixels
        return _rgb(upright, level, path), data
    except Image.DecompressionBombError as error:
        raise _error(path, "far more pixels than any screen has", "Make it smaller.") from error
    except _BROKEN as error:
        raise _error(
            path, f"a file that can't be read as an image ({_first_line(error)})", "Replace it."
        ) from error


def _rgb(image: Image.Image, level: int, path: Path) -> Image.Image:
    if image.mode.startswith("I;16"):  # 16-bit grey, which Pillow would cut off at 255
        grey = np.asarray(image, dtype=np.float64) / 257.0
        return Image.fromarray(np.round(grey).astype(np.uint8)).convert("RGB")
    if image.mode in ("I", "F"):
        raise _error(path, f"pixels of type {image.mode}", "Save it with 8 bits a channel.")
    if not image.has_transparency_data:
        return image.convert("RGB")
    under = Image.new("RGBA", image.size, (level, level, level, 255))
    return Image.alpha_composite(under, image.convert("RGBA")).convert("RGB")


def grey_level(background: float) -> int:
    """Return a grey level of the protocol, -1 to 1, as that of a pixel, 0 to 255."""
    return round((background + 1) / 2 * 255)


def fit_image(image: Image.Image, image_shape: tuple[int, int, int], around: int | None = None) -> Pixels:
    """Bring an image to a shape.

    Args:
        image: RGB.
        image_shape: height, width and 3.
        around: None: what does not fit is cut off, around the middle; otherwise the grey level, 0 to 255, that
            is put around an image of another shape.
    """
    height, width, _ = image_shape
    if around is None:
        fitted = ImageOps.fit(image, (width, height), method=RESAMPLING)
    else:
        fitted = ImageOps.pad(image, (width, height), method=RESAMPLING, color=(around, around, around))
    pixels = np.array(fitted, dtype=np.uint8)
    pixels.flags.writeable = False
    return pixels


def _error(path: Path, found: str, remedy: str) -> ReferenceImageError:
    return ReferenceImageError(str(path), found=found, expected="a PNG, JPEG or BMP image", remedy=remedy)


def _first_line(error: BaseException) -> str:
    # Pillow names the memory buffer it reads from, which tells nobody anything
    text = str(error).partition("<_io")[0].strip().rstrip("'") or type(error).__name__
    return text.splitlines()[0]
