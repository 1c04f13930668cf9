"""What lies beside a session file: its write-ahead log while it runs, and what a kill may have left.

A session file is changed through its write-ahead log only. The two switches, into the log when a session
opens and out of it when it closes, change nothing but the file's header, within its first 100 bytes. SQLite
would guard even that with a rollback journal, and a kill in between would leave one that must be rolled back
before anybody can read: no reader may. So both switches go without. A header is one sector of a disk: there
is the old one or the new one, and either is a whole file.
"""

from __future__ import annotations

import shlex
import sqlite3
from contextlib import closing
from pathlib import Path

from closedloop.errors import SessionDamagedError

LOG = "-wal"
JOURNAL = "-journal"
ALL = (LOG, "-shm", JOURNAL)

_LOG_HEADER_BYTES = 32


def beside(path: Path, suffix: str) -> Path:
    """Return where SQLite keeps a file that belongs to a session file."""
    return path.with_name(path.name + suffix)


def connect(path: Path, mode: str) -> sqlite3.Connection:
    """Open an SQLite file.

    Args:
        path: of the file.
        mode: ``ro``, ``rw``, ``rwc`` as of SQLite's URI, or ``immutable``: read without any lock or log.
    """
    how = "mode=ro&immutable=1" if mode == "immutable" else f"mode={mode}"
    connection = sqlite3.connect(
        f"{path.resolve().as_uri()}?{how}", uri=True, isolation_level=None, timeout=5.0
    )
    connection.row_factory = sqlite3.Row
    return connection


def into_log(connection: sqlite3.Connection) -> None:
    """Have a connection write through a write-ahead log, whatever the file used until now.

    Raises:
        sqlite3.OperationalError: another program reads the file, or it can't be written.
    """
    if _mode(connection) == "wal":
        return
    connection.execute("PRAGMA journal_mode = MEMORY")  # see the top of this module
    connection.execute("PRAGMA journal_mode = WAL")
    if _mode(connection) != "wal":  # a file system that can't; then at least with a journal that lasts
        connection.execute("PRAGMA journal_mode = DELETE")


def out_of_log(connection: sqlite3.Connection) -> None:
    """Put the write-ahead log into the file, and leave the file alone.

    Raises:
        sqlite3.OperationalError: another program reads the file, or it can't be written.
    """
    connection.execute("PRAGMA journal_mode = MEMORY")  # see the top of this module
    connection.execute("PRAGMA journal_mode = DELETE")


def has_log_alone(path: Path) -> bool:
    """Whether a session file is empty or gone, and its log holds records.

    SQLite throws such a log away as soon as the file is opened, even to read.
    """
    return _size(path) == 0 and _size(beside(path, LOG)) > _LOG_HEADER_BYTES


def keep_log_alone(path: Path) -> None:
    """Refuse to open a file whose records are in its log alone.

    Raises:
        SessionDamagedError: it is such a file.
    """
    if has_log_alone(path):
        what = "an empty file" if path.exists() else "no such file"
        raise SessionDamagedError(
            str(path),
            found=f"{what}, beside a log of {_size(beside(path, LOG))} bytes that holds records",
            expected="the file that the log belongs to",
            remedy="Open it with nothing else: that would delete the log. To save what is in it: "
            f"closedloop salvage {shlex.quote(str(path.parent))} --to NEW-FOLDER",
        )


def undo_half_done(path: Path) -> None:
    """Roll back a change that was cut off half-way, if there is one: who only reads, can't.

    Of several programs that try, SQLite lets one do it; and none while the one that makes the change lives.

    Raises:
        SessionDamagedError: there is one, and the folder can't be written.
    """
    journal = beside(path, JOURNAL)
    if not _is_hot(journal) or has_log_alone(path):
        return
    try:
        with closing(connect(path, "rw")) as connection:
            connection.execute("SELECT count(*) FROM sqlite_master").fetchone()
    except sqlite3.DatabaseError as error:
        if not _is_hot(journal):
            return  # it was undone all the same; who opens the file now, says what else is wrong
        raise SessionDamagedError(
            str(path),
            found=f"a change that was cut off half-way, and can't be undone here (the database says: {error})",
            expected=f"to be able to write the folder for a moment, and undo it by {journal.name}",
            remedy=f"Copy the folder, {journal.name} included, to where it can be written, and use the copy."
            " If that does not help: `closedloop salvage` saves what can be read.",
        ) from error


def is_locked(error: sqlite3.Error) -> bool:
    """Whether an error of SQLite is that another program has the file."""
    return "locked" in str(error)  # Python 3.10 does not tell the error's code


def _mode(connection: sqlite3.Connection) -> str:
    return str(connection.execute("PRAGMA journal_mode").fetchone()[0])


def _is_hot(journal: Path) -> bool:
    """Whether a journal is to be rolled back: a finished one is gone, or its first byte is zero."""
    try:
        with journal.open("rb") as file:
            return file.read(1) not in (b"", b"\0")
    except FileNotFoundError:
        return False


def _size(path: Path) -> int:
    try:
        return path.stat().st_size
    except FileNotFoundError:
        return 0
