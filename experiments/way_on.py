"""How a session that ended too early goes on: said with whatever ended it."""

from __future__ import annotations

import shlex
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from closedloop.errors import ClosedLoopError, SessionError
from closedloop.protocol.load import protocol_kind
from closedloop.scan.recorded import is_scan
from closedloop.session import SessionReader, database

RESUME = "closedloop resume"


def way_on(folder: Path, command: str) -> str:
    """Return the command line by which a session goes on."""
    return f"{command} {shlex.quote(str(folder))}"


@contextmanager
def says_how_to_go_on(folder: Path, command: str) -> Iterator[None]:
    """Let every error say at its end how the session goes on."""
    try:
        yield
    except ClosedLoopError as error:
        raise type(error)(
            error.where,
            found=error.found,
            expected=error.expected,
            remedy=f"{error.remedy} To go on: {way_on(folder, command)}",
        ) from error


def session_kind(folder: Path) -> str:
    """Return what a session in a folder is: ``"evolution"`` or ``"scan"``; of a damaged one the former."""
    file, protocol = folder / database.FILE_NAME, folder / "protocol.yaml"
    if file.is_file() and not database.is_blank(file):
        try:
            with SessionReader(folder) as reader:
                return "scan" if is_scan(reader) else "evolution"
        except SessionError:
            return "evolution"  # whose resume says what is wrong with it
    return protocol_kind(protocol) if protocol.is_file() else "evolution"
