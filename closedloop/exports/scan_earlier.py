"""What earlier exports of a scan session left in its BIDS folder, and what others put beside it.

A run's files are named by the attempt that counts, so their names change while a session goes on. What was joined
into a ``*_bold.json`` stays with its attempt; files of names that are no longer used go; images of the scanner, and
all that is not surely an export of this session, are left alone.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence, Set
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

from closedloop.exports.files import remove, with_suffix
from closedloop.exports.scan_images import IMAGE, NOTED, MisplacedImages
from closedloop.exports.scan_names import Attempt
from closedloop.exports.stand_in import is_stand_in

EVENTS, BOLD = "events.json", "bold.json"

TIMING, VOLUME_S = "VolumeTiming", "FrameAcquisitionDuration"
"""Keys of a sparse run: when each volume began, and how long one was acquired."""

_SIDE_FILES = ("events.tsv", EVENTS, "physio.tsv.gz", "physio.json")
_NAMED = 4  # so many keys or files are told by their names
_OURS_ALONE = ("StandIn", "TriggeredRepetitionTime", "TriggeredVolumes")
_FORMER_VOLUME_S = "AcquisitionDuration"  # earlier versions wrote it for VOLUME_S
_NOT_BESIDE_TIMING = ("RepetitionTime", "DelayTime")  # both are errors for BIDS where TIMING is
_SKELETON = {
    *_OURS_ALONE,
    "TaskName",
    "TaskDescription",
    "RepetitionTime",
    TIMING,
    VOLUME_S,
    "NumberOfVolumesDiscardedByScanner",
    "NumberOfVolumesDiscardedByUser",
}


@dataclass(frozen=True)
class _Name:
    """What stood at a name.

    Attributes:
        attempt: that its files were of; None: nothing says so.
        ours: an export of this session wrote them, surely.
        bold: content of its ``*_bold.json``; None: there is none, or it can't be read.
        unreadable: there is one that can't be read.
        images: what its sidecar notes of images that lie under other names.
    """

    attempt: Attempt | None
    ours: bool
    bold: Mapping[str, Any] | None
    unreadable: bool
    images: Sequence[Any]


class EarlierExport:
    """What stood in the folder of a session's scan runs before they are written anew.

    Args:
        place: the folder, ``sub-*/ses-*/func``; it need not be there.
        session: id of the session.
        names: where the files of each attempt are to be now, without suffix.
        over: when each attempt was over, with a time zone; one of which that is not known may be left out.

    Attributes:
        images: those of the scanner that are out of their place.
    """

    def __init__(
        self, place: Path, session: str, names: Mapping[Attempt, Path], over: Mapping[Attempt, datetime]
    ) -> None:
        self._now = names
        self._told: list[str] = []
        self._joined: list[str] = []
        whose = f"{place.parent.parent.name}_{place.parent.name}"
        found = {_without(path) for path in place.glob(f"{whose}_task-*_{EVENTS}")}
        self._before = {at: _read(at, session) for at in sorted(found | set(names.values()))}
        of = {at: name.attempt for at, name in self._before.items() if name.attempt is not None}
        noted = [(of[at], note) for at, name in self._before.items() if at in of for note in name.images]
        self.images = MisplacedImages(of, noted, names, over)

    def joined(self, attempt: Attempt, told: Mapping[str, Any]) -> dict[str, Any] | None:
        """Return what others wrote into an attempt's ``*_bold.json``, at whatever name it stood.

        Args:
            attempt: whose.
            told: what is to be written into it now.

        Returns:
            None if what stands in its place can't be read, and so is not ours to replace.
        """
        at = self._now[attempt]
        here = self._before[at]
        if here.unreadable:
            self._told.append(f"{with_suffix(at, BOLD)} is no JSON that can be read, and was left as it is")
            return None
        own = [here] if here.attempt in (None, attempt) else []
        own += [name for before, name in self._before.items() if before != at and name.attempt == attempt]
        kept: dict[str, Any] = {}
        for name in own:
            known = {*told, *_OURS_ALONE, *kept}
            kept |= {key: value for key, value in (name.bold or {}).items() if key not in known}
            timing = (name.bold or {}).get(TIMING)
            if TIMING in told and _lengthened(timing, told[TIMING]):
                kept.setdefault(TIMING, timing)
        if TIMING in told:
            self._make_room(at, kept, told)
        if kept:
            self._joined.append(f"{_run_of(at)} ({_some(list(kept))})")
        return kept

    def _make_room(self, at: Path, kept: dict[str, Any], told: Mapping[str, Any]) -> None:
        """Take out of a sparse run's keys what may not be beside ours, and say so."""
        if kept.get(_FORMER_VOLUME_S) == told[VOLUME_S]:
            del kept[_FORMER_VOLUME_S]
        out = [key for key in _NOT_BESIDE_TIMING if key in kept]
        for key in out:
            del kept[key]
        if out:
            self._told.append(
                f"{' and '.join(out)} went out of {_run_of(with_suffix(at, BOLD))}: the run is sparse, and BIDS has"
                f" no such key beside {TIMING}"
            )

    def clear(self, written: Iterable[Path]) -> None:
        """Remove what earlier exports of this session wrote and this one did not.

        Args:
            written: files of this one.

        Raises:
            DiskError: one can't be removed.
        """
        kept = set(written)
        left = []
        for at, name in self._before.items():
            if name.ours:
                left += [with_suffix(at, suffix) for suffix in _SIDE_FILES]
                left += [with_suffix(at, BOLD)] if self._carried_on(name, kept) else []
            image = with_suffix(at, IMAGE)
            left += [image] if is_stand_in(image) else []
        removed = [remove(path) for path in left if path not in kept and path.exists()]
        if removed:
            names = _some(sorted({_run_of(path) for path in removed}))
            self._told.append(f"files of an earlier export that no longer belong were removed: {names}")

    def told(self) -> list[str]:
        """Return what there is to say to whoever put something into the folder, line by line."""
        lines = list(self._told)
        if self._joined:
            lines.append(f"what was joined into *_{BOLD} was kept: {'; '.join(self._joined)}")
        return [*lines, *self.images.told()]

    def _carried_on(self, name: _Name, written: Set[Path]) -> bool:
        """Return whether nothing of what others wrote into a ``*_bold.json`` goes if that does."""
        if name.bold is not None and name.bold.keys() <= _written_with(name.bold):
            return True
        now = None if name.attempt is None else self._now.get(name.attempt)
        return not name.unreadable and now is not None and with_suffix(now, BOLD) in written


def _written_with(bold: Mapping[str, Any]) -> Set[str]:
    """Return the keys that the version which wrote a ``*_bold.json`` had in its skeleton."""
    former = TIMING in bold and VOLUME_S not in bold
    return _SKELETON | {_FORMER_VOLUME_S} if former else _SKELETON


def _lengthened(timing: Any, ours: Sequence[float]) -> bool:
    """Return whether somebody put the times of more volumes after ours, as the images hold more than was heard."""
    return isinstance(timing, list) and len(timing) > len(ours) and timing[: len(ours)] == list(ours)


def _read(at: Path, session: str) -> _Name:
    about, _ = _json(with_suffix(at, EVENTS))
    run = (about or {}).get("ScanRun")
    run = run if isinstance(run, Mapping) else {}
    label, number = run.get("Label"), run.get("Attempt")
    attempt = (label, number - 1) if isinstance(label, str) and isinstance(number, int) else None
    bold, there = _json(with_suffix(at, BOLD))
    ours, images = run.get("Session") == session, run.get(NOTED)
    return _Name(
        attempt,
        ours,
        bold,
        unreadable=there and bold is None,
        images=images if ours and isinstance(images, list) else (),
    )


def _json(path: Path) -> tuple[Mapping[str, Any] | None, bool]:
    """Return the object in a JSON file, None if it holds none; and whether the file is there."""
    try:
        content = json.loads(path.read_text(encoding="utf-8-sig"))
    except FileNotFoundError:
        return None, False
    except (OSError, ValueError):
        return None, True
    return (content if isinstance(content, Mapping) else None), True


def _run_of(path: Path) -> str:
    """Return a file's name without subject, session and task, which all of them have in common."""
    return "_".join(path.name.split("_")[3:])


def _some(words: Sequence[str]) -> str:
    more = f" and {len(words) - _NAMED} more" if len(words) > _NAMED else ""
    return f"{', '.join(words[:_NAMED])}{more}"


def _without(path: Path) -> Path:
    return path.with_name(path.name.removesuffix(f"_{EVENTS}"))
