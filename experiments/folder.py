"""Session folders: one new folder for each session, never an old one."""

from __future__ import annotations

import os
import tempfile
from datetime import datetime
from pathlib import Path

from closedloop.errors import DiskError, SessionExistsError
from closedloop.protocol.models import Protocol
from closedloop.protocol.scan import ScanProtocol

PROTOCOL_FILE = "protocol.yaml"
LOG_FILE = "log.txt"


def session_name(protocol: Protocol | ScanProtocol, now: datetime) -> str:
    """Return ``<subject>_<experiment>_<date>-<time>``: name of the folder, and id of the session.

    Args:
        protocol: names subject and experiment.
        now: local time.
    """
    return f"{protocol.subject.id}_{protocol.output.experiment}_{now:%Y%m%d-%H%M%S}"


def require_writable(base: Path) -> None:
    """Refuse a folder that session folders can't be made in; leaves nothing behind.

    Asked before the rig is opened, so that nobody sits in front of a screen for a session that can't be.

    Args:
        base: need not be there yet.

    Raises:
        DiskError: it can't be made or written.
    """
    place = base.absolute()
    while not place.exists() and place != place.parent:
        place = place.parent
    try:
        # by doing it: permissions, read-only disks and network disks all have their own rules
        with tempfile.TemporaryDirectory(prefix=".closedloop-check-", dir=place):
            return
    except OSError as error:
        raise _not_writable(base, error) from error


def make_session_folder(base: Path, name: str) -> Path:
    """Make a session's folder and return it.

    Args:
        base: folder that session folders are made in; made if it is missing.
        name: of the session.

    Raises:
        SessionExistsError: the folder is there already.
        DiskError: it can't be made.
    """
    folder = base / name
    try:
        base.mkdir(parents=True, exist_ok=True)
        folder.mkdir()
    except FileExistsError as error:
        raise SessionExistsError(
            str(error.filename),
            found="something of this name",
            expected="a folder that is not there yet",
            remedy="Sessions are never written over: wait a second, or choose another folder with --out.",
        ) from error
    except OSError as error:
        raise _not_writable(base, error) from error
    return folder


def _not_writable(base: Path, error: OSError) -> DiskError:
    return DiskError(
        str(base),
        found=error.strerror or str(error),
        expected="a folder that session folders can be made in",
        remedy="Choose another folder with --out.",
    )


def write_whole(path: Path, text: str) -> None:
    """Write a text file so that after a crash it is there as a whole or not at all.

    Raises:
        DiskError: it can't be written.
    """
    draft = path.with_name(path.name + ".part")
    try:
        with draft.open("w", encoding="utf-8") as file:
            file.write(text)
            file.flush()
            os.fsync(file.fileno())
        draft.replace(path)
    except OSError as error:
        raise DiskError(
            str(path),
            found=error.strerror or str(error),
            expected="to be able to write",
            remedy="Make room on the disk or check its permissions.",
        ) from error
