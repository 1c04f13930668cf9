"""The images of a scanner session, by condition."""

from __future__ import annotations

from collections.abc import Sequence

from closedloop.report.blocks import Block, Frame, Remark, Section, Strip
from closedloop.report.material import Material
from closedloop.report.scan_course import ScanCourse
from closedloop.report.sections.pictures import thumbnail

MOST = 24


def section(material: Material, found: Sequence[ScanCourse]) -> Section:
    """Return a strip of each condition's images, each with how often it was shown in runs that count."""
    shown: dict[str, dict[int, int]] = {}
    names: dict[int, str] = {}
    for course in (one for one in found if one.counts or not any(c.counts for c in found)):
        table = course.scan.shown[["trial_type", "image", "source"]]
        for trial_type, image, source in table.itertuples(index=False):
            own = shown.setdefault(str(trial_type), {})
            own[int(image)] = own.get(int(image), 0) + 1
            names[int(image)] = str(source)
    blocks: list[Block] = []
    for trial_type, images in shown.items():
        frames = []
        for image, n in sorted(images.items())[:MOST]:
            pixels = material.reader.pixels(image)
            if pixels is not None:
                name = names[image].rsplit("/", 1)[-1]
                frames.append(Frame(thumbnail(pixels), f"{n}×", name if len(name) < 15 else f"{name[:13]}…"))  # noqa: RUF001  a times sign is what is meant
        left = len(images) - MOST
        caption = f"{left:,} more are not pictured here." if left > 0 else ""
        blocks.append(Strip(trial_type, frames, caption))
    if not blocks:
        blocks.append(Remark("No image was shown."))
    return Section("images", "Images, and how often each was shown", blocks)
