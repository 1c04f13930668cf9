"""The files at the top of a BIDS dataset, which all its sessions share: what stands there of others stays.

Source: BIDS specification 1.10: modality-agnostic files.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from importlib import metadata
from pathlib import Path
from typing import Any

from closedloop.errors import DiskError
from closedloop.exports.bids_common import Entities, json_text
from closedloop.exports.files import write_text
from closedloop.protocol.sections.subject import Subject

VERSION = "1.10.0"
_PARTICIPANTS = {
    "participant_id": {"Description": "Unique participant identifier."},
    "species": {"Description": "Binomial species name."},
    "age": {"Description": "Age of the participant.", "Units": "year"},
    "sex": {
        "Description": "Sex of the participant.",
        "Levels": {"M": "male", "F": "female", "O": "other"},
    },
}
_READMES = ("README.md", "README", "README.txt", "README.rst")  # BIDS lets a dataset have one of these
_UNKNOWN = "n/a"


def write_shared(to: Path, own: Entities, session: str, subject: Subject, about: str) -> list[Path]:
    """Write what a dataset says of itself and of its subjects, so that it is true of this session, too.

    Only what is this session's is replaced: its part of the README, and its subject's row unless an earlier
    session of that subject is in the dataset. The dataset keeps the name and all else that it has.

    Args:
        to: the dataset's folder.
        own: of the session.
        session: its name.
        subject: section of its protocol.
        about: its part of the README, Markdown.

    Returns:
        the files that were written.

    Raises:
        DiskError: a file that is there is not what BIDS has at its place, the session is not the one that these
            names stand for already, or the files can't be written. In the first two cases nothing was written.
    """
    readme = next((name for name in _READMES if (to / name).is_file()), _READMES[0])
    texts = {
        "dataset_description.json": _description(to / "dataset_description.json", session),
        readme: _readme(to / readme, own, session, about),
        "participants.tsv": _participants(to / "participants.tsv", own, subject),
        "participants.json": json_text({**_PARTICIPANTS, **_held_json(to / "participants.json")}),
    }
    return [write_text(to / name, text) for name, text in texts.items()]


def _description(path: Path, session: str) -> str:
    ours = {"Name": "closedloop", "Version": metadata.version("closedloop")}
    held = _held_json(path)
    made = held.get("GeneratedBy", [])
    if not isinstance(made, list):
        raise _unfit(path, "GeneratedBy that is no list", "a list")
    described = {"Name": session, "BIDSVersion": VERSION, "DatasetType": "raw", **held}
    described["GeneratedBy"] = made if ours in made else [*made, ours]
    return json_text(described)


def _readme(path: Path, own: Entities, session: str, about: str) -> str:
    """Return the README with the session's part put at its place, or at the end."""
    held = _held(path)
    name = " ".join(re.sub("-{2,}|[<>]", "-", session).split())  # the end of a comment would end it
    part = f"<!-- {own.stem}: {name} -->\n{about.strip()}\n<!-- end of {own.stem} -->\n"
    known = re.search(rf"<!-- {own.stem}: (.*?) -->\n.*?<!-- end of {own.stem} -->\n?", held, re.DOTALL)
    if known is None:
        return f"{held.rstrip()}\n\n{part}".lstrip()
    if known[1] != name:
        raise DiskError(
            str(path.parent),
            found=f"session {known[1]} in it, of the same subject and begun in the same second as {name}",
            expected="sessions that their subject and the second of their beginning tell apart",
            remedy="Export this session into another folder.",
        )
    return held[: known.start()] + part + held[known.end() :]


def _participants(path: Path, own: Entities, subject: Subject) -> str:
    """Return the table of participants, with one row of this session's subject."""
    lines = [line.split("\t") for line in _held(path).split("\n") if line]
    header, rows = (lines[0], lines[1:]) if lines else (list(_PARTICIPANTS), [])
    if header[0] != "participant_id" or any(len(row) != len(header) for row in rows):
        raise _unfit(path, "another table", "participant_id as its first column, and a cell for each column")
    told = _told_of(subject, own)
    header += [name for name in told if name not in header]
    rows = [row + [_UNKNOWN] * (len(header) - len(row)) for row in rows]
    mine = next((row for row in rows if row[0] == told["participant_id"]), None)
    if mine is None:
        rows.append([told.get(name, _UNKNOWN) for name in header])
    else:
        # BIDS has the age at the first session
        first = all(
            f"ses-{own.session}" <= place.name for place in path.parent.glob(f"sub-{own.subject}/ses-*")
        )
        for at, name in enumerate(header):
            if told.get(name, _UNKNOWN) != _UNKNOWN and (first or mine[at] == _UNKNOWN):
                mine[at] = told[name]
    return "\n".join("\t".join(row) for row in [header, *rows]) + "\n"


def _told_of(subject: Subject, own: Entities) -> dict[str, str]:
    return {
        "participant_id": f"sub-{own.subject}",
        "species": " ".join(subject.species.lower().split()) or _UNKNOWN,
        "age": _years(subject.age),
        "sex": subject.sex if subject.sex in ("M", "F", "O") else _UNKNOWN,
    }


def _years(age: str) -> str:
    """Return an ISO 8601 duration in years, as BIDS has it."""
    parts = {unit: float(number) for number, unit in re.findall(r"([0-9.]+)([YMWD])", age)}
    if not parts:
        return _UNKNOWN
    years = parts.get("Y", 0) + parts.get("M", 0) / 12 + (7 * parts.get("W", 0) + parts.get("D", 0)) / 365.25
    return f"{years:.4g}"


def _held_json(path: Path) -> Mapping[str, Any]:
    try:
        held = json.loads(_held(path) or "{}")
    except ValueError as error:
        raise _unfit(path, f"no JSON ({error})", "a JSON object") from error
    if not isinstance(held, dict):
        raise _unfit(path, "no JSON object", "a JSON object")
    return held


def _held(path: Path) -> str:
    """Return what stands in a file; an empty text if it is not there."""
    try:
        return path.read_text(encoding="utf-8-sig")
    except FileNotFoundError:
        return ""
    except (OSError, UnicodeDecodeError) as error:
        raise _unfit(path, f"a file that can't be read ({error})", "UTF-8 text") from error


def _unfit(path: Path, found: str, expected: str) -> DiskError:
    return DiskError(
        str(path),
        found=found,
        expected=f"{expected}: the session is put beside what the dataset holds",
        remedy="Mend that file or take it away, or export into another folder.",
    )
