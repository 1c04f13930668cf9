"""What every BIDS dataset of a session has: its description, who was recorded, how labels and JSON look.

Source: BIDS specification 1.10: modality-agnostic files.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from importlib import metadata
from pathlib import Path
from typing import Any

from closedloop.exports.files import write_text
from closedloop.protocol.sections.subject import Subject

VERSION = "1.10.0"
PARTICIPANTS = {
    "participant_id": {"Description": "Unique participant identifier."},
    "species": {"Description": "Binomial species name."},
    "age": {"Description": "Age of the participant.", "Units": "year"},
    "sex": {
        "Description": "Sex of the participant.",
        "Levels": {"M": "male", "F": "female", "O": "other"},
    },
}


def description(session: str) -> dict[str, Any]:
    """Return ``dataset_description.json``."""
    return {
        "Name": session,
        "BIDSVersion": VERSION,
        "DatasetType": "raw",
        "GeneratedBy": [{"Name": "closedloop", "Version": metadata.version("closedloop")}],
    }


def participants(subject: Subject, label: str) -> str:
    """Return ``participants.tsv``."""
    sex = subject.sex if subject.sex in ("M", "F", "O") else "n/a"
    values = (f"sub-{label}", subject.species.lower() or "n/a", _years(subject.age), sex)
    return "participant_id\tspecies\tage\tsex\n" + "\t".join(values) + "\n"


def label_of(text: str) -> str:
    """Return a text as a label: letters and digits."""
    return re.sub(r"[^A-Za-z0-9]", "", text) or "unknown"


def write_json(path: Path, content: Mapping[str, Any]) -> Path:
    """Write a JSON file whole."""
    return write_text(path, json.dumps(content, indent=2, ensure_ascii=False) + "\n")


def _years(age: str) -> str:
    """Return an ISO 8601 duration in years, as BIDS has it."""
    parts = {unit: float(number) for number, unit in re.findall(r"([0-9.]+)([YMWD])", age)}
    if not parts:
        return "n/a"
    years = parts.get("Y", 0) + parts.get("M", 0) / 12 + (7 * parts.get("W", 0) + parts.get("D", 0)) / 365.25
    return f"{years:.4g}"
