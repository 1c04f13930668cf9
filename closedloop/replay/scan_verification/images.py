"""Whether the images are those that the seed, the generators and the files give."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence

import numpy as np

from closedloop.exports.columns import rows
from closedloop.ports import Pixels
from closedloop.replay.scan_verification.findings import ScanCheck, ScanDifference, ScanVerification
from closedloop.scan.placeholder import placeholder
from closedloop.scan.stimuli import Stimulus
from closedloop.session import SessionReader

# Another device's arithmetic moves a number by less than one level of 255; more is another image.
LARGEST_ROUNDING = 1
SHOWN = 10


def check_images(reader: SessionReader, stimuli: Mapping[str, Stimulus], found: ScanVerification) -> None:
    """Compare every image of the session with its SHA-256, and with what is loaded and rendered now.

    Args:
        reader: of the session.
        stimuli: made anew from the protocol, by name, as far as they can be.
        found: takes what is found.
    """
    gone = []
    for row in rows(reader.table("images").sort_values("image")):
        image, name, origin = int(row["image"]), str(row["source"]), str(row["origin"])
        pixels = reader.pixels(image)
        whole = pixels is None or _is_whole(image, str(row["sha256"]), pixels, found)
        now = stimuli.get(name)
        if now is None and origin == "random":
            detail = f"recorded '{name}'; the protocol gives none of that name"
            found.differences.append(ScanDifference(ScanCheck.IMAGES, "name", detail, number=image))
        elif int(row["row"]) != image:
            detail = f"'{name}' is recorded in place {row['row']} of the set"
            found.differences.append(ScanDifference(ScanCheck.IMAGES, "place", detail, number=image))
        elif now is not None and (now.origin == origin or origin == "placeholder"):
            _compare_code(reader, image, now, found)
            if pixels is not None and whole:
                # the file may have come since; what was shown is the pattern in its place
                is_there = now.origin == origin
                _compare_pixels(
                    image, pixels, now.pixels if is_there else placeholder(name, pixels.shape), found
                )
        else:
            gone.append(name)
    if gone:
        found.notes.append(f"Not made again, and held to their recorded SHA-256 only: {_listed(gone)}.")


def _listed(names: Sequence[str]) -> str:
    more = f" and {len(names) - SHOWN} more" if len(names) > SHOWN else ""
    return ", ".join(names[:SHOWN]) + more


def _is_whole(image: int, sha256: str, pixels: Pixels, found: ScanVerification) -> bool:
    found.count(ScanCheck.IMAGES)
    if hashlib.sha256(np.ascontiguousarray(pixels).tobytes()).hexdigest() == sha256:
        return True
    detail = "the recorded pixels are not those of the recorded SHA-256"
    found.differences.append(ScanDifference(ScanCheck.IMAGES, "image byte", detail, number=image))
    return False


def _compare_code(reader: SessionReader, image: int, now: Stimulus, found: ScanVerification) -> None:
    code = reader.code(image)
    if code is None and now.code is None:
        return
    found.count(ScanCheck.CODES)
    if code is None or now.code is None or code.tobytes() != now.code.tobytes():
        detail = "the recorded code is not the one that the seed, or its file, gives"
        found.differences.append(ScanDifference(ScanCheck.CODES, "code", detail, number=image))


def _compare_pixels(image: int, pixels: Pixels, now: Pixels, found: ScanVerification) -> None:
    def differ(what: str, detail: str) -> None:
        found.differences.append(ScanDifference(ScanCheck.IMAGES, what, detail, number=image))

    if pixels.shape != now.shape:
        differ("image size", f"recorded {pixels.shape}, made now {now.shape}")
        return
    apart = np.abs(pixels.astype(np.int16) - now.astype(np.int16))
    largest = int(apart.max(initial=0))
    if largest > LARGEST_ROUNDING:
        n = int(np.count_nonzero(apart))
        differ("image byte", f"{n} of {apart.size} bytes differ, by up to {largest} of 255")
    elif largest:
        found.rounded += 1
