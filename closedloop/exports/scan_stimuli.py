"""The images of a scanner session as files, each as it was shown."""

from __future__ import annotations

import re
from pathlib import Path, PurePosixPath

import pandas as pd

from closedloop.exports.columns import rows
from closedloop.exports.images import write_png
from closedloop.session import SessionReader


def stimulus_files(reader: SessionReader) -> dict[int, str]:
    """Return the file of each image that has pixels, relative to the folder of stimuli.

    The name is that of the stimulus (``faces/anna.jpg`` becomes ``faces/anna.png``), or else its number.
    """
    files: dict[int, str] = {}
    taken: set[str] = set()
    table = reader.table("images")
    for row in rows(table[table["sha256"].notna()].sort_values("image")):
        image = int(row["image"])
        name = _safe(str(row["source"])) if not pd.isna(row["source"]) else f"image-{image:06d}"
        if name.lower() in taken:  # two that differ in what a file name can't hold
            name = f"{name}_image-{image:06d}"
        taken.add(name.lower())
        files[image] = f"{name}.png"
    return files


def write_stimuli(reader: SessionReader, to: Path) -> list[Path]:
    """Write every image that has pixels into a folder."""
    written = []
    for image, name in stimulus_files(reader).items():
        pixels = reader.pixels(image)
        if pixels is not None:
            written.append(write_png(to / name, pixels))
    return written


def _safe(source: str) -> str:
    """Return a stimulus's name without its ending, as a path that can't lead out of its folder."""
    path = PurePosixPath(source.replace("\\", "/"))
    parts = [re.sub(r"[^A-Za-z0-9._-]", "-", part).lstrip(".") for part in path.with_suffix("").parts]
    return "/".join(part for part in parts if part.strip("-")) or "image"
