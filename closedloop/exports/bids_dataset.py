"""The session as a BIDS dataset of its own: events, the images that were shown, and who was recorded.

Source: BIDS specification 1.10: behavioural data, task events, stimuli.
"""

from __future__ import annotations

from pathlib import Path

import pandas as pd

from closedloop.exports.bids import COLUMNS, cell, events, sidecar
from closedloop.exports.bids_common import STIMULI, Entities, label_of, write_json
from closedloop.exports.bids_shared import write_shared
from closedloop.exports.columns import rows
from closedloop.exports.files import write_text
from closedloop.exports.images import write_png
from closedloop.replay.recorded import protocol_of
from closedloop.session import SessionReader

_README = """# {session}

One session of a closed loop, in which a neuron chose its own stimulus: pictures were shown, its responses were
scored, and better pictures were bred of those that drove it most.

- `{folder}/*_events.tsv`: every image that came on the screen, with the response that it evoked.
- `{stimuli}/`: the images.

The neural samples are in the session file that this was made from, and in its NWB export.
"""


def write_bids(reader: SessionReader, to: Path) -> list[Path]:
    """Write a session as a BIDS dataset, or into one that holds others; also one that crashed.

    Args:
        reader: of the session.
        to: the dataset's folder; made if it is missing.

    Returns:
        the files that were written.

    Raises:
        SessionError: the session can't be read.
        DiskError: the files can't be written, or the dataset there can't take the session in.
    """
    protocol = protocol_of(reader)
    meta = reader.meta()
    session = meta.get("session", reader.folder.name)
    own = Entities.of(reader, protocol.subject)
    place, stimuli = to / own.folder("beh"), to / STIMULI / own.stem
    stem = f"{own.stem}_task-{label_of(protocol.output.experiment)}"
    about = _README.format(session=session, folder=own.folder("beh"), stimuli=f"{STIMULI}/{own.stem}")
    shared = write_shared(to, own, session, protocol.subject, about)
    files = _stimuli(reader, stimuli)
    table = events(reader)
    table["stim_file"] = [
        own.stimulus(files[image]) if image in files else None for image in map(int, table["image"])
    ]
    lines = ["\t".join(COLUMNS)]
    for row in table.itertuples(index=False):
        lines.append("\t".join(cell(name, value) for name, value in zip(COLUMNS, row, strict=True)))
    described = sidecar(reader, table, protocol.display)
    described["TaskName"] = protocol.output.experiment
    described["stim_file"]["Description"] = "The image, relative to the dataset's folder stimuli."
    return [
        *shared,
        write_text(place / f"{stem}_events.tsv", "\n".join(lines) + "\n"),
        write_json(place / f"{stem}_events.json", described),
        *(stimuli / name for name in files.values()),
    ]


def _stimuli(reader: SessionReader, to: Path) -> dict[int, str]:
    """Write every image that was rendered into a folder; return their names by number."""
    names = dict(zip(reader.table("threads")["thread"], reader.table("threads")["name"], strict=True))
    files: dict[int, str] = {}
    for row in rows(reader.table("images").sort_values("image")):
        pixels = reader.pixels(int(row["image"]))
        if pixels is None:
            continue
        thread = label_of(str(names.get(row["thread"], row["thread"])))
        part = "reference" if pd.isna(row["generation"]) else f"generation-{int(row['generation']):04d}"
        name = f"thread-{thread}_{part}_image-{int(row['image']):06d}.png"
        write_png(to / name, pixels)
        files[int(row["image"])] = name
    return files
