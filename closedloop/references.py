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
            remedy="Correct references.folder; a relative path starts at the protocol's folder.",
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
            remedy="Put the reference images there, or set references.random_codes instead.",
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
    return tuple(_load(path, image_shape, background) for path in image_files(folder))


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


def _load(path: Path, image_shape: tuple[int, int, int], background: float) -> ReferenceImage:
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
        pixels = _fit(_rgb(upright, background, path), image_shape)
    except Image.DecompressionBombError as error:
        raise _error(path, "far more pixels than any screen has", "Make it smaller.") from error
    except _BROKEN as error:
        raise _error(
            path, f"a file that can't be read as an image ({_first_line(error)})", "Replace it."
        ) from error
    return ReferenceImage(path.name, hashlib.sha256(data).hexdigest(), upright.size, pixels)


def _rgb(image: Image.Image, background: float, path: Path) -> Image.Image:
    if image.mode.startswith("I;16"):  # 16-bit grey, which Pillow would cut off at 255
        grey = np.asarray(image, dtype=np.float64) / 257.0
        return Image.fromarray(np.round(grey).astype(np.uint8)).convert("RGB")
    if image.mode in ("I", "F"):
        raise _error(path, f"pixels of type {image.mode}", "Save it with 8 bits a channel.")
    if not image.has_transparency_data:
        return image.convert("RGB")
    level = round((background + 1) / 2 * 255)
    under = Image.new("RGBA", image.size, (level, level, level, 255))
    return Image.alpha_composite(under, image.convert("RGBA")).convert("RGB")


def _fit(image: Image.Image, image_shape: tuple[int, int, int]) -> Pixels:
    height, width, _ = image_shape
    pixels = np.array(ImageOps.fit(image, (width, height), method=RESAMPLING), dtype=np.uint8)
    pixels.flags.writeable = False
    return pixels


def _error(path: Path, found: str, remedy: str) -> ReferenceImageError:
    return ReferenceImageError(str(path), found=found, expected="a PNG, JPEG or BMP image", remedy=remedy)


def _first_line(error: BaseException) -> str:
    # Pillow names the memory buffer it reads from, which tells nobody anything
    text = str(error).partition("<_io")[0].strip().rstrip("'") or type(error).__name__
    return text.splitlines()[0]
