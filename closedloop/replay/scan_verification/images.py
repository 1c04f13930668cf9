"""Whether the images are those that the seed, the generators and the files give."""

from __future__ import annotations

import hashlib

import numpy as np

from closedloop.exports.columns import rows
from closedloop.ports import Pixels
from closedloop.replay.scan_verification.findings import ScanCheck, ScanDifference, ScanVerification
from closedloop.scan.stimuli import Stimulus, StimulusSet
from closedloop.session import SessionReader

# Another device's arithmetic moves a number by less than one level of 255; more is another image.
LARGEST_ROUNDING = 1


def check_images(reader: SessionReader, stimuli: StimulusSet, found: ScanVerification) -> None:
    """Compare every image of the session with what is loaded and rendered now.

    Args:
        reader: of the session.
        stimuli: made anew from the protocol.
        found: takes what is found.
    """
    names = dict(enumerate(stimuli))
    for row in rows(reader.table("images").sort_values("image")):
        image, name = int(row["image"]), str(row["source"])
        now = stimuli.get(names.get(int(row["row"]), ""))
        if now is None or now.name != name:
            given = "none" if now is None else f"'{now.name}'"
            detail = f"recorded '{name}'; the protocol gives {given} in its place"
            found.differences.append(ScanDifference(ScanCheck.IMAGES, "name", detail, number=image))
            continue
        _compare_code(reader, image, now, found)
        pixels = reader.pixels(image)
        if pixels is not None:
            found.count(ScanCheck.IMAGES)
            _compare_pixels(image, str(row["sha256"]), pixels, now.pixels, found)


def _compare_code(reader: SessionReader, image: int, now: Stimulus, found: ScanVerification) -> None:
    code = reader.code(image)
    if code is None and now.code is None:
        return
    found.count(ScanCheck.CODES)
    if code is None or now.code is None or code.tobytes() != now.code.tobytes():
        detail = "the recorded code is not the one that the seed, or its file, gives"
        found.differences.append(ScanDifference(ScanCheck.CODES, "code", detail, number=image))


def _compare_pixels(image: int, sha256: str, pixels: Pixels, now: Pixels, found: ScanVerification) -> None:
    def differ(what: str, detail: str) -> None:
        found.differences.append(ScanDifference(ScanCheck.IMAGES, what, detail, number=image))

    if pixels.shape != now.shape:
        differ("image size", f"recorded {pixels.shape}, made now {now.shape}")
        return
    if hashlib.sha256(np.ascontiguousarray(pixels).tobytes()).hexdigest() != sha256:
        differ("image byte", "the recorded pixels are not those of the recorded SHA-256")
        return
    apart = np.abs(pixels.astype(np.int16) - now.astype(np.int16))
    largest = int(apart.max(initial=0))
    if largest > LARGEST_ROUNDING:
        n = int(np.count_nonzero(apart))
        differ("image byte", f"{n} of {apart.size} bytes differ, by up to {largest} of 255")
    elif largest:
        found.rounded += 1
