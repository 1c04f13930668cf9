"""The best image of each generation, and the references."""

from __future__ import annotations

import io

import pandas as pd
from PIL import Image

from closedloop.exports.columns import rows
from closedloop.ports import Pixels
from closedloop.report.blocks import Block, Frame, Remark, Section, Strip
from closedloop.report.material import EvolvingThread, Material
from closedloop.report.words import mean_sem, unit_of

LARGEST_PX = 192  # twice what the page shows, for sharp screens; the exported images are whole


def section(material: Material) -> Section:
    """Return the film strips of all threads."""
    blocks: list[Block] = []
    for thread in material.threads:
        frames = _best(material, thread)
        if not frames:
            blocks.append(
                Remark(f"{thread.name}: no generation has a best image, because none was completed.")
            )
            continue
        caption = (
            "The evolved image with the highest score in each generation: its mean response"
            f" (± sem where it was shown more than once) in {unit_of(material.protocol)}."
        )
        blocks.append(Strip(thread.name, frames, caption if thread is material.threads[0] else ""))
    for thread in material.threads:
        frames = _references(material, thread)
        if frames:
            blocks.append(
                Strip(
                    f"References of {thread.name}",
                    frames,
                    f"Their mean over the generations, in {unit_of(material.protocol)}.",
                )
            )
    return Section("images", "The best image of each generation", blocks)


def thumbnail(pixels: Pixels) -> bytes:
    """Return an image (h, w, 3) as PNG, made smaller if it is large."""
    image = Image.fromarray(pixels)
    image.thumbnail((LARGEST_PX, LARGEST_PX), Image.Resampling.LANCZOS)
    out = io.BytesIO()
    image.save(out, format="PNG", optimize=True)
    return out.getvalue()


def _best(material: Material, thread: EvolvingThread) -> list[Frame]:
    frames = []
    scores = material.of_thread(material.scores, thread)
    for row in rows(material.of_thread(material.generations, thread)):
        if pd.isna(row["best_image"]):
            continue
        pixels = material.reader.pixels(int(row["best_image"]))
        if pixels is None:
            continue
        image = scores[
            (scores["generation"] == row["generation"]) & (scores["image"] == row["best_image"])
        ].iloc[0]
        frames.append(Frame(thumbnail(pixels), str(row["generation"]), mean_sem(image["mean"], image["sem"])))
    return frames


def _references(material: Material, thread: EvolvingThread) -> list[Frame]:
    frames = []
    scores = material.of_thread(material.scores, thread)
    references = scores[(scores["kind"] == "reference") & scores["mean"].notna()]
    for image, group in references.groupby("image"):
        pixels = material.reader.pixels(int(str(image)))
        if pixels is not None:
            row = int(group["row"].iloc[0])
            frames.append(Frame(thumbnail(pixels), f"ref {row}", f"{group['mean'].mean():.1f}"))
    return frames
