"""Pictures of a scan session that goes on: those that are recorded are shown as recorded."""

from __future__ import annotations

import hashlib
from dataclasses import replace
from pathlib import Path

from closedloop.ports import Pixels
from closedloop.scan.images import ScanImages
from closedloop.session import SessionReader
from experiments.differences import Difference, Weight, pixel_differences
from experiments.scan_session import ScanWork


def with_recorded_pictures(folder: Path, work: ScanWork) -> tuple[ScanWork, list[Difference]]:
    """Compare pictures with those that are recorded, and take the recorded ones.

    Args:
        folder: of the session.
        work: what is to be shown, with the pictures as they are read and rendered now.

    Returns:
        The same with the recorded pictures, and what differs.
    """
    images = ScanImages(work.stimuli, work.plans)
    found: list[Difference] = []
    recorded: dict[str, Pixels] = {}
    with SessionReader(folder) as reader:
        table = reader.table("images").set_index("image")
        for name, number in images.numbers.items():
            if number not in table.index:
                continue  # of a run that was added
            was, now, shown = table.loc[number], images.pixels(number), reader.pixels(number)
            if was["source"] != name:
                found.append(Difference(f"image {number}", str(was["source"]), name, Weight.NEVER))
            elif shown is None:
                same = was["sha256"] == hashlib.sha256(now.tobytes()).hexdigest()
                made = "made again" if same else "made again, with other bytes"
                weight = Weight.NOTE if same else Weight.CHANGE
                found.append(Difference(f"image {name}", "lost in a salvage", made, weight))
            elif shown.shape != now.shape:
                was_px, now_px = (" x ".join(map(str, pixels.shape[:2])) for pixels in (shown, now))
                found.append(Difference(f"size of image {name}", was_px, now_px, Weight.NEVER))
            else:
                recorded[name] = shown
                found += pixel_differences(f"image {name}", shown, now, "; it is shown as recorded")
    stimuli = {
        name: replace(stimulus, pixels=recorded.get(name, stimulus.pixels))
        for name, stimulus in work.stimuli.items()
    }
    return replace(work, stimuli=replace(work.stimuli, stimuli=stimuli)), found
