"""Renders every image again and compares the bytes."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from closedloop.generators import Generator
from closedloop.loop.threads import EvolutionThread, Reference
from closedloop.ports import Pixels
from closedloop.replay.recorded import Recorded
from closedloop.replay.verification.difference import Check, Difference, Verification

BATCH = 32
# Another device's arithmetic moves a number by less than one level of 255; more is another image.
LARGEST_ROUNDING = 1
NOT_WHOLE = "the recorded pixels are not those of the recorded SHA-256"


def check_generation(
    recorded: Recorded,
    thread: EvolutionThread,
    generation: int,
    codes: npt.NDArray[np.float32],
    found: Verification,
) -> None:
    """Compare the images of a generation with those of the codes that were bred again.

    Args:
        recorded: the session.
        thread: whose generator renders.
        generation: which.
        codes: (n, d), by row.
        found: takes what is found.
    """
    images = recorded.evolved(thread.index, generation)
    if len(images) != len(codes):
        return  # the codes' own check has said so
    for start in range(0, len(images), BATCH):
        part = slice(start, start + BATCH)
        for offset, rendered in enumerate(thread.generator.render(codes[part])):
            row = start + offset
            _compare(recorded, images[row], rendered, found, generation, thread.spec.name, row)


def check_references(recorded: Recorded, thread: EvolutionThread, found: Verification) -> None:
    """Compare the references with those that the seed, or the pictures' folder, give now.

    What can't be made again is still held to its own SHA-256.
    """
    images = recorded.references(thread.index)
    name = thread.spec.name
    folder = recorded.first_protocol.references.folder
    again = (
        _by_row(thread, images, found)
        if folder is None
        else _by_source(recorded, thread, images, str(folder), found)
    )
    for row, image in enumerate(images):
        found.count(Check.REFERENCES)
        reference = again.get(image)
        if reference is None:
            pixels = recorded.reader.pixels(image)
            if pixels is not None and not _is_whole(recorded, image, pixels):
                found.differences.append(
                    Difference(Check.REFERENCES, "image byte", NOT_WHOLE, thread=name, row=row, image=image)
                )
            continue
        code = recorded.reader.code(image)
        if (code is None) != (reference.code is None) or (
            code is not None and reference.code is not None and code.tobytes() != reference.code.tobytes()
        ):
            detail = "the recorded code is not the one that the seed gives"
            found.differences.append(
                Difference(Check.REFERENCES, "code of a reference", detail, thread=name, row=row, image=image)
            )
        _compare(recorded, image, reference.pixels, found, None, name, row)


def _by_row(thread: EvolutionThread, images: Sequence[int], found: Verification) -> dict[int, Reference]:
    """Return references that are made of codes, by image number."""
    if len(images) != len(thread.references):
        detail = f"{len(images)} are recorded; {len(thread.references)} are made now"
        found.differences.append(
            Difference(Check.REFERENCES, "number of references", detail, thread=thread.spec.name)
        )
    return dict(zip(images, thread.references, strict=False))


def _by_source(
    recorded: Recorded, thread: EvolutionThread, images: Sequence[int], folder: str, found: Verification
) -> dict[int, Reference]:
    """Return references that are files, by image number: the folder may have others by now."""
    there = {reference.source: reference for reference in thread.references if reference.source is not None}
    known = recorded.images[recorded.images["source"].notna()]
    sources = {int(i): str(name) for i, name in zip(known["image"], known["source"], strict=True)}
    again = {image: there[sources[image]] for image in images if sources.get(image) in there}
    notes = []
    gone = [sources.get(image, f"image {image}") for image in images if image not in again]
    if there and gone:
        notes.append(f"Not in {folder} any more, and held to their recorded SHA-256 only: {', '.join(gone)}.")
    new = sorted(set(there) - set(sources.values()))
    if new:
        notes.append(f"In {folder} by now, and not in this session: {', '.join(new)}.")
    found.notes += [note for note in notes if note not in found.notes]  # the folder is that of all threads
    return again


def describe_generator(recorded: Recorded, threads: Sequence[EvolutionThread]) -> list[str]:
    """Say in what today's generators differ from the recorded ones."""
    notes = []
    indices = [int(index) for index in recorded.reader.table("threads")["thread"]]
    was = dict(zip(indices, recorded.reader.details("threads", "generator"), strict=True))
    for thread in threads:
        now = _plain(thread.generator)
        before = was.get(thread.index, {})
        changed = [
            f"{key} {before[key]} then, {now[key]} now"
            for key in sorted(set(before) & set(now))
            if str(before[key]) != str(now[key])
        ]
        if changed:
            notes.append(
                f"The generator of {thread.spec.name} is not quite the recorded one: {'; '.join(changed)}."
            )
    return list(dict.fromkeys(notes))


def _plain(generator: Generator) -> dict[str, object]:
    return dict(generator.provenance)


def _compare(
    recorded: Recorded,
    image: int,
    rendered: Pixels,
    found: Verification,
    generation: int | None,
    name: str,
    row: int,
) -> None:
    pixels = recorded.reader.pixels(image)
    if pixels is None:
        return  # bred, but never rendered: the session ended before
    check = Check.IMAGES if generation is not None else Check.REFERENCES
    found.count(Check.IMAGES)

    def differ(what: str, detail: str) -> None:
        found.differences.append(Difference(check, what, detail, generation, name, row, image=image))

    if pixels.shape != rendered.shape:
        differ("image size", f"recorded {pixels.shape}, rendered {rendered.shape}")
        return
    apart = np.abs(pixels.astype(np.int16) - rendered.astype(np.int16))
    count, largest = int(np.count_nonzero(apart)), int(apart.max(initial=0))
    if not _is_whole(recorded, image, pixels):
        where = f"; against the image rendered now {_where(pixels, rendered, apart)}" if count else ""
        differ("image byte", f"{NOT_WHOLE}{where}")
    elif largest > LARGEST_ROUNDING:
        differ("image byte", f"{count} of {apart.size} bytes differ: {_where(pixels, rendered, apart)}")
    elif count:
        found.image_rounding = found.image_rounding.with_one(largest)


def _is_whole(recorded: Recorded, image: int, pixels: Pixels) -> bool:
    return recorded.sha256(image) == hashlib.sha256(np.ascontiguousarray(pixels).tobytes()).hexdigest()


def _where(pixels: Pixels, rendered: Pixels, apart: npt.NDArray[np.int16]) -> str:
    y, x, colour = (int(i) for i in np.unravel_index(int(np.argmax(apart)), apart.shape))
    return (
        f"by up to {int(apart.max())} of 255, at row {y}, column {x}, {('red', 'green', 'blue')[colour]}"
        f" (recorded {pixels[y, x, colour]}, rendered {rendered[y, x, colour]})"
    )
