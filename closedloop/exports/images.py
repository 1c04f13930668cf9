"""Pictures of a session: the best of each generation, the last population, the references."""

from __future__ import annotations

import re
from pathlib import Path

import pandas as pd
from PIL import Image

from closedloop.exports.columns import rows
from closedloop.exports.files import write_whole
from closedloop.exports.generations import generations
from closedloop.ports import Pixels
from closedloop.session import SessionReader

FOLDER = "images"
STRIP_HEIGHT_PX = 96
STRIP_COLUMNS = 10


def image_files(reader: SessionReader) -> dict[str, int]:
    """Return which image goes into which file, relative to the session folder."""
    names = {row["thread"]: _safe(row["name"]) for row in rows(reader.table("threads"))}
    files: dict[str, int] = {}
    for row in rows(generations(reader)):
        if not pd.isna(row["best_image"]):
            name = f"thread-{names[row['thread']]}_generation-{row['generation']:04d}_best.png"
            files[f"{FOLDER}/{name}"] = int(row["best_image"])
    images = reader.table("images")
    evolved = images[images["kind"] == "evolved"]
    final = evolved[evolved["generation"] == evolved.groupby("thread")["generation"].transform("max")]
    for kind, table in (("final", final), ("reference", images[images["kind"] == "reference"])):
        for row in rows(table):
            name = f"thread-{names[row['thread']]}_{kind}-{row['row']:03d}.png"
            files[f"{FOLDER}/{name}"] = row["image"]
    return files


def write_images(reader: SessionReader, to: Path) -> list[Path]:
    """Write ``images/*.png``; images that were never rendered are left out."""
    written = []
    best: dict[str, list[Pixels]] = {}
    for name, image in image_files(reader).items():
        pixels = reader.pixels(image)
        if pixels is None:
            continue
        written.append(write_png(to / name, pixels))
        if name.endswith("_best.png"):
            best.setdefault(name.split("_generation-")[0], []).append(pixels)
    for thread, pictures in best.items():
        written.append(write_png_image(to / f"{thread}_evolution.png", film_strip(pictures)))
    return written


def write_png(path: Path, pixels: Pixels) -> Path:
    """Write one image (h, w, 3) uint8."""
    return write_png_image(path, Image.fromarray(pixels))


def write_png_image(path: Path, image: Image.Image) -> Path:
    """Write one picture as PNG, whole."""
    return write_whole(path, lambda temporary: image.save(temporary, format="PNG"))


def film_strip(pictures: list[Pixels]) -> Image.Image:
    """Lay pictures side by side on white, in reading order."""
    gap = 4
    tiles = [_tile(pixels) for pixels in pictures]
    columns = min(STRIP_COLUMNS, len(tiles))
    width = max(tile.width for tile in tiles) + gap
    rows = -(-len(tiles) // columns)
    sheet = Image.new("RGB", (columns * width + gap, rows * (STRIP_HEIGHT_PX + gap) + gap), "white")
    for index, tile in enumerate(tiles):
        sheet.paste(tile, (gap + index % columns * width, gap + index // columns * (STRIP_HEIGHT_PX + gap)))
    return sheet


def _tile(pixels: Pixels) -> Image.Image:
    image = Image.fromarray(pixels)
    width = max(1, round(image.width * STRIP_HEIGHT_PX / image.height))
    return image.resize((width, STRIP_HEIGHT_PX), Image.Resampling.BICUBIC)


def _safe(name: str) -> str:
    """Make a file name of a thread's name, whatever stands in the session file."""
    return re.sub(r"[^A-Za-z0-9_-]", "-", name)
