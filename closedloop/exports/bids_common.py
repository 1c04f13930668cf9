"""What everything of a session in a BIDS dataset has in common: how its names begin, how labels and JSON look.

Source: BIDS specification 1.10: common principles, entities.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from closedloop.exports.files import write_text
from closedloop.exports.session_time import start_of
from closedloop.protocol.sections.subject import Subject
from closedloop.session import SessionReader

STIMULI = "stimuli"


@dataclass(frozen=True)
class Entities:
    """What tells a session's files from those of other sessions in a dataset.

    Attributes:
        subject: its label.
        session: its label: the UTC time of the session's beginning, so labels are in order of time.
    """

    subject: str
    session: str

    @classmethod
    def of(cls, reader: SessionReader, subject: Subject) -> Entities:
        """Return those of a session."""
        return cls(label_of(subject.id), start_of(reader).strftime("%Y%m%d%H%M%S"))

    @property
    def stem(self) -> str:
        """As the names of the session's files begin; its folder of stimuli has this name."""
        return f"sub-{self.subject}_ses-{self.session}"

    def folder(self, kind: str) -> str:
        """Return the folder of files of a kind (``beh``, ``func``), relative to the dataset."""
        return f"sub-{self.subject}/ses-{self.session}/{kind}"

    def stimulus(self, name: str) -> str:
        """Return a stimulus's file as ``stim_file`` has it, relative to the dataset's folder of stimuli."""
        return f"{self.stem}/{name}"


def label_of(text: str) -> str:
    """Return a text as a label: letters and digits."""
    return re.sub(r"[^A-Za-z0-9]", "", text) or "unknown"


def json_text(content: Mapping[str, Any]) -> str:
    """Return JSON as it stands in a dataset's files."""
    return json.dumps(content, indent=2, ensure_ascii=False) + "\n"


def write_json(path: Path, content: Mapping[str, Any]) -> Path:
    """Write a JSON file whole."""
    return write_text(path, json_text(content))
