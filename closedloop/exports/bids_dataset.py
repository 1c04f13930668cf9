"""The session as a BIDS dataset of its own: events, the images that were shown, and who was recorded.

Source: BIDS specification 1.10: behavioural data, task events, stimuli.
"""

from __future__ import annotations

import json
import re
from importlib import metadata
from pathlib import Path
from typing import Any

import pandas as pd

from closedloop.exports.bids import COLUMNS, cell, events, sidecar
from closedloop.exports.columns import rows
from closedloop.exports.files import write_text
from closedloop.exports.images import write_png
from closedloop.exports.session_time import start_of
from closedloop.protocol.models import Protocol
from closedloop.replay.recorded import protocol_of
from closedloop.session import SessionReader

VERSION = "1.10.0"
_README = """# {session}

One session of a closed loop, in which a neuron chose its own stimulus: pictures were shown, its responses were
scored, and better pictures were bred of those that drove it most.

- `sub-*/ses-*/beh/*_events.tsv`: every image that came on the screen, with the response that it evoked.
- `stimuli/`: the images.

The neural samples are in the session file that this dataset was made from, and in its NWB export.
"""


def write_bids(reader: SessionReader, to: Path) -> list[Path]:
    """Write a session as a BIDS dataset, also one that crashed.

    Args:
        reader: of the session.
        to: the dataset's folder; made if it is missing.

    Returns:
        the files that were written.

    Raises:
        SessionError: the session can't be read.
        DiskError: the files can't be written.
    """
    protocol = protocol_of(reader)
    meta = reader.meta()
    session = meta.get("session", reader.folder.name)
    subject = _label(protocol.subject.id)
    label = start_of(reader).strftime("%Y%m%d%H%M%S")
    place = to / f"sub-{subject}" / f"ses-{label}" / "beh"
    stem = f"sub-{subject}_ses-{label}_task-{_label(protocol.output.experiment)}"
    files = _stimuli(reader, to)
    table = events(reader)
    table["stim_file"] = [files.get(int(image)) for image in table["image"]]
    lines = ["\t".join(COLUMNS)]
    for row in table.itertuples(index=False):
        lines.append("\t".join(cell(name, value) for name, value in zip(COLUMNS, row, strict=True)))
    description = sidecar(reader, table)
    description["TaskName"] = protocol.output.experiment
    description["stim_file"]["Description"] = "The image, relative to the dataset's folder stimuli."
    return [
        _json(to / "dataset_description.json", _dataset(session)),
        write_text(to / "README.md", _README.format(session=session)),
        write_text(to / "participants.tsv", _participants(protocol, subject)),
        _json(to / "participants.json", _PARTICIPANTS),
        write_text(place / f"{stem}_events.tsv", "\n".join(lines) + "\n"),
        _json(place / f"{stem}_events.json", description),
        *(to / "stimuli" / name for name in files.values()),
    ]


_PARTICIPANTS = {
    "participant_id": {"Description": "Unique participant identifier."},
    "species": {"Description": "Binomial species name."},
    "age": {"Description": "Age of the participant.", "Units": "year"},
    "sex": {
        "Description": "Sex of the participant.",
        "Levels": {"M": "male", "F": "female", "O": "other"},
    },
}


def _dataset(session: str) -> dict[str, Any]:
    return {
        "Name": session,
        "BIDSVersion": VERSION,
        "DatasetType": "raw",
        "GeneratedBy": [{"Name": "closedloop", "Version": metadata.version("closedloop")}],
    }


def _participants(protocol: Protocol, label: str) -> str:
    subject = protocol.subject
    sex = subject.sex if subject.sex in ("M", "F", "O") else "n/a"
    values = (f"sub-{label}", subject.species.lower() or "n/a", _years(subject.age), sex)
    return "participant_id\tspecies\tage\tsex\n" + "\t".join(values) + "\n"


def _years(age: str) -> str:
    """Return an ISO 8601 duration in years, as BIDS has it."""
    parts = {unit: float(number) for number, unit in re.findall(r"([0-9.]+)([YMWD])", age)}
    if not parts:
        return "n/a"
    years = parts.get("Y", 0) + parts.get("M", 0) / 12 + (7 * parts.get("W", 0) + parts.get("D", 0)) / 365.25
    return f"{years:.4g}"


def _stimuli(reader: SessionReader, to: Path) -> dict[int, str]:
    """Write every image that was rendered; return their names by number."""
    names = dict(zip(reader.table("threads")["thread"], reader.table("threads")["name"], strict=True))
    files: dict[int, str] = {}
    for row in rows(reader.table("images").sort_values("image")):
        pixels = reader.pixels(int(row["image"]))
        if pixels is None:
            continue
        thread = _label(str(names.get(row["thread"], row["thread"])))
        part = "reference" if pd.isna(row["generation"]) else f"generation-{int(row['generation']):04d}"
        name = f"thread-{thread}_{part}_image-{int(row['image']):06d}.png"
        write_png(to / "stimuli" / name, pixels)
        files[int(row["image"])] = name
    return files


def _label(text: str) -> str:
    """Labels in BIDS are letters and digits."""
    return re.sub(r"[^A-Za-z0-9]", "", text) or "unknown"


def _json(path: Path, content: dict[str, Any]) -> Path:
    return write_text(path, json.dumps(content, indent=2, ensure_ascii=False) + "\n")
