"""Images of the scanner in a BIDS folder, and which of them lie under the name of another attempt than theirs.

No image is ever moved, while a run's name follows the attempt that counts. What an export found out of its place is
noted in the sidecar of the attempt that the image is of: from then on the name itself says that it is another one's.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timezone
from pathlib import Path
from typing import Any

from closedloop.exports.files import with_suffix
from closedloop.exports.scan_names import Attempt
from closedloop.exports.stand_in import is_stand_in

IMAGE = "bold.nii.gz"

NOTED = "ImagesUnderOtherNames"
"""Key of a sidecar's ``ScanRun``: images of its attempt that lie in another one's place."""

_IMAGES = ("bold.nii", IMAGE)
_PART_BYTES = 1 << 20


@dataclass(frozen=True)
class _Misplaced:
    """An image, and whose it is.

    Attributes:
        path: where it lies.
        attempt: that it is of.
        note: by what it is known again: ``File``, ``Bytes``, and ``SHA256``, None if it could not be read.
    """

    path: Path
    attempt: Attempt
    note: Mapping[str, Any]


class MisplacedImages:
    """The images that lie under the name of another attempt than theirs, or under one that is used no more.

    Args:
        before: which attempt each name was of when it was written last.
        noted: what the sidecars of attempts have under ``NOTED``.
        now: where the files of each attempt are to be now, without suffix.
        over: when each attempt was over, with a time zone; one of which that is not known may be left out.
    """

    def __init__(
        self,
        before: Mapping[Path, Attempt],
        noted: Sequence[tuple[Attempt, Any]],
        now: Mapping[Attempt, Path],
        over: Mapping[Attempt, datetime],
    ) -> None:
        self._now = now
        self._found: dict[Path, _Misplaced] = {}
        self._doubtful: list[tuple[Path, Attempt]] = []
        holders = {at: attempt for attempt, at in now.items()}
        for attempt, note in noted:
            path = None if attempt not in now else _known_again(now[attempt].parent, note)
            if path is not None and path not in scanner_images(now[attempt]):
                self._found[path] = _Misplaced(path, attempt, note)
        for at, attempt in before.items():
            if now.get(attempt, at) == at:
                continue
            for path in scanner_images(at):
                if path in self._found:
                    continue
                holder = holders.get(at)
                if holder is None or _is_older(path, over.get(holder)):
                    self._found[path] = _Misplaced(path, attempt, _note(path))
                else:
                    self._doubtful.append((path, attempt))

    def note(self, attempt: Attempt) -> dict[str, Any]:
        """Return what is to stand in the ``ScanRun`` of an attempt's sidecar, so that later exports know it."""
        notes = [dict(one.note) for one in self._found.values() if one.attempt == attempt]
        return {NOTED: notes} if notes else {}

    def told(self) -> list[str]:
        """Return what there is to say to whoever put the images there, line by line."""
        lines = [
            f"{one.path} is an image of what is named {self._now[one.attempt].name} now: rename it"
            for one in self._found.values()
        ]
        lines += [
            f"{path} may be an image of what is named {self._now[attempt].name} now, as it was put there while the"
            " folder had that under this name: if it is, rename it. This is not said again"
            for path, attempt in self._doubtful
        ]
        return lines

    def readme(self) -> list[str]:
        """Return what the dataset's README is to say of those that are surely out of their place."""
        return [
            f"When this was written, `{one.path.name}` was an image of `{self._now[one.attempt].name}`, not of the run"
            " that has its name: rename it."
            for one in self._found.values()
        ]


def scanner_images(at: Path) -> Sequence[Path]:
    """Return the images beside a name that are no stand-ins of ours."""
    images = [with_suffix(at, suffix) for suffix in _IMAGES]
    return [path for path in images if path.exists() and not is_stand_in(path)]


def _is_older(path: Path, over: datetime | None) -> bool:
    """Return whether an image was written before an attempt was over, and so can't be of it."""
    return over is not None and datetime.fromtimestamp(path.stat().st_mtime, timezone.utc) < over


def _known_again(place: Path, note: Any) -> Path | None:
    """Return the image that was noted; None if it has gone, or another one has taken its place."""
    if not isinstance(note, Mapping) or not isinstance(note.get("File"), str):
        return None
    path = place / Path(note["File"]).name
    if not path.is_file() or is_stand_in(path) or path.stat().st_size != note.get("Bytes"):
        return None
    # by content, not by its time: that is another one in each copy of the dataset
    digests = {note.get("SHA256"), _sha256(path)} - {None}
    return path if len(digests) <= 1 else None


def _note(path: Path) -> dict[str, Any]:
    return {"File": path.name, "Bytes": path.stat().st_size, "SHA256": _sha256(path)}


def _sha256(path: Path) -> str | None:
    """Return the digest of a file; None if it may not be read, which is no reason to write no events."""
    digest = hashlib.sha256()
    try:
        with path.open("rb") as file:
            while part := file.read(_PART_BYTES):
                digest.update(part)
    except OSError:
        return None
    return digest.hexdigest()
