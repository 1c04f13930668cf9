"""Sessions that were cut off before anything was recorded: what their folder tells, to begin them anew in it."""

from __future__ import annotations

from pathlib import Path

from closedloop.errors import SessionDamagedError, SessionError
from closedloop.session import database, journal
from experiments.console import say
from experiments.control import CONTROL_FILE, CONTROLS
from experiments.folder import LOG_FILE, PROTOCOL_FILE


def is_unbegun(folder: Path) -> bool:
    """Return whether nothing of a session was ever recorded in its folder.

    Raises:
        SessionDamagedError: its records are in the log of a session file that is empty or gone.
    """
    path = folder / database.FILE_NAME
    journal.keep_log_alone(path)
    return not path.exists() or database.is_blank(path)


def protocol_of_unbegun(folder: Path) -> Path:
    """Return the protocol file by which a session can begin anew.

    Raises:
        SessionError: there is none.
    """
    protocol_file = folder / PROTOCOL_FILE
    if not protocol_file.is_file():
        found, remedy = "no such folder", "Give the folder that `closedloop run` named at its end."
        if folder.is_dir():
            begun = (folder / LOG_FILE).exists()
            found = f"no session{': it was cut off before anything was recorded' if begun else ' in it'}"
            remedy = "Nothing is lost: start again with closedloop run PROTOCOL, or closedloop demo."
        raise SessionError(
            str(folder),
            found=found,
            expected=f"a session folder with its {database.FILE_NAME}",
            remedy=remedy,
        )
    return protocol_file


def control_of_unbegun(folder: Path) -> str | None:
    """Return the control condition under which a session is to begin anew, if any.

    Raises:
        SessionDamagedError: there was one, and it can't be told which.
    """
    try:
        control = (folder / CONTROL_FILE).read_text(encoding="utf-8", errors="replace").strip()
    except FileNotFoundError:
        return None
    if control not in CONTROLS:
        raise SessionDamagedError(
            str(folder / CONTROL_FILE),
            found=f"{control[:40]!r}",
            expected=f"the session's control: {' or '.join(CONTROLS)}",
            remedy="Nothing is lost: start again with closedloop demo.",
        )
    return control


def say_it_begins_anew(control: str | None = None) -> None:
    """Tell the person that a session begins anew, and under which control if it is under one."""
    say("nothing had been recorded yet: the session begins anew")
    if control is not None:
        say(f"with its control, as before: {control}")
