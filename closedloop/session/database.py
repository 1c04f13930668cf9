"""Opening the session's SQLite file, for its one writer and for any number of readers."""

from __future__ import annotations

import logging
import sqlite3
import time
from collections.abc import Callable
from contextlib import closing
from functools import cache
from importlib import resources
from pathlib import Path

from closedloop.errors import (
    DiskError,
    SessionDamagedError,
    SessionError,
    SessionInUseError,
    SessionSchemaError,
)
from closedloop.session import journal

log = logging.getLogger(__name__)

SCHEMA_VERSION = 2
READABLE_VERSIONS = frozenset({1, 2})
"""Of these, files are read and gone on with: schema 1 lacks the scanner's tables, and is the same otherwise."""

SINCE_2 = frozenset({"scans", "planned", "pulses", "presses"})
"""Tables that a file of schema 1 lacks."""

APPLICATION_ID = 0x434C4F50  # "CLOP": lets a reader tell a session file from any other SQLite file
FILE_NAME = "session.sqlite"

WAIT_FOR_READERS_S = 30.0
_LOOK_AGAIN_S = 0.1


def create(path: Path) -> sqlite3.Connection:
    """Make a new session file and return its writer.

    Raises:
        DiskError: the file can't be written.
        SessionDamagedError: there is the log of a session whose file is gone.
    """
    journal.keep_log_alone(path)
    try:
        connection = journal.connect(path, "rwc")
        connection.execute("PRAGMA page_size = 8192")
        _tune(connection)
        # in one: after a crash the file is either blank or a whole session file
        connection.executescript(
            f"BEGIN; PRAGMA application_id = {APPLICATION_ID}; PRAGMA user_version = {SCHEMA_VERSION};"
            f" {schema()} COMMIT;"
        )
    except sqlite3.Error as error:
        raise write_error(path, error) from error
    return connection


def schema() -> str:
    """Return the statements that make a session file's tables."""
    return resources.files("closedloop.session").joinpath("schema.sql").read_text(encoding="utf-8")


def blank() -> sqlite3.Connection:
    """Return a session file without any record, in memory only."""
    connection = sqlite3.connect(":memory:")
    connection.row_factory = sqlite3.Row
    connection.executescript(schema())
    return connection


@cache
def columns_of(table: str) -> tuple[sqlite3.Row, ...]:
    """Return what SQLite says of the columns that the schema gives a table; none for another table's name.

    Args:
        table: an identifier.
    """
    with closing(blank()) as connection:
        return tuple(connection.execute(f"PRAGMA table_info({table})").fetchall())


def open_writer(path: Path, wait_s: float | None = None) -> sqlite3.Connection:
    """Open an existing session file to go on with it.

    Args:
        path: of the session file.
        wait_s: how long to wait for programs that read a closed session; None: the usual time. They hold up nobody once it is open.

    Raises:
        SessionInUseError: another program goes on reading it.
        DiskError: the file can't be written.
        SessionError: as ``open_reader``.
    """
    connection = _checked(path, read_only=False)
    try:
        _when_unread(connection, lambda: _tune(connection), wait_s)
    except sqlite3.Error as error:
        connection.close()
        raise write_error(path, error) from error
    return connection


def wait_for_readers(path: Path, wait_s: float | None = None) -> None:
    """Make sure that a session could be gone on with now; changes nothing.

    Args:
        path: of the session file.
        wait_s: how long to wait for programs that read it; None: the usual time.

    Raises:
        SessionInUseError: another program goes on reading it.
        DiskError: the file can't be written.
        SessionError: as ``open_reader``.
    """
    with closing(_checked(path, read_only=False)) as connection:
        try:
            _when_unread(connection, lambda: connection.executescript("BEGIN EXCLUSIVE; ROLLBACK"), wait_s)
        except sqlite3.Error as error:
            raise write_error(path, error) from error


def is_blank(path: Path) -> bool:
    """Return whether a file is there in which nothing was ever recorded: a crash cut its making off."""
    if not path.is_file() or journal.has_log_alone(path):
        return False
    journal.undo_half_done(path)
    try:
        connection = journal.connect(path, "ro")
        try:
            if not connection.execute("SELECT count(*) FROM sqlite_master").fetchone()[0]:
                return True
            if connection.execute("PRAGMA application_id").fetchone()[0] != APPLICATION_ID:
                return False
            return not connection.execute(
                "SELECT (SELECT count(*) FROM meta) + (SELECT count(*) FROM runs)"
            ).fetchone()[0]
        finally:
            connection.close()
    except sqlite3.DatabaseError:
        return False  # not blank but damaged; whoever opens it says so


def remove(path: Path) -> None:
    """Remove a session file that is blank, with its log.

    Raises:
        SessionDamagedError: its log holds records.
    """
    journal.keep_log_alone(path)
    for suffix in ("", *journal.ALL):
        journal.beside(path, suffix).unlink(missing_ok=True)


def check(path: Path) -> None:
    """Read the whole file and look whether it is sound; takes about a second for each GB.

    Raises:
        SessionError: as ``open_reader``, or the file is damaged inside.
    """
    connection = open_reader(path)
    try:
        found = [str(row[0]) for row in connection.execute("PRAGMA quick_check(5)")]
    except sqlite3.DatabaseError as error:
        found = [str(error)]
    finally:
        connection.close()
    if found != ["ok"]:
        raise SessionDamagedError(
            str(path),
            found=f"the database says: {'; '.join(found)}",
            expected="a sound session file",
            remedy="`closedloop salvage` saves what can be read into a new session; it leaves this file as it is.",
        )


def open_reader(path: Path) -> sqlite3.Connection:
    """Open a session file to read; never blocks its writer, works while the session runs.

    Raises:
        SessionError: no such file.
        SessionSchemaError: not a session file, or of a schema that this version does not know.
        SessionDamagedError: the file is damaged.
    """
    return _checked(path, read_only=True)


def write_error(path: Path, error: sqlite3.Error) -> DiskError | SessionError:
    """Put an SQLite error about writing into plain words."""
    if isinstance(error, sqlite3.IntegrityError):
        return SessionError(
            str(path),
            found=f"a record that does not fit the file: {error}",
            expected="records that fit the schema",
            remedy="This is a fault of the program; please report it. Everything recorded before stands.",
        )
    if journal.is_locked(error):
        return SessionInUseError(
            str(path),
            found="another program is reading it, or writes it",
            expected="a session file that no other program keeps locked",
            remedy="Wait until the report, export or replay of it is done, or end it. Everything recorded stands.",
        )
    return DiskError(
        str(path),
        found=f"the database says: {error}",
        expected="to be able to write",
        remedy="Make room on the disk or check its permissions. Everything recorded before stands.",
    )


def make_plain(connection: sqlite3.Connection) -> None:
    """Leave the write-ahead log, so that a closed session is one file that any medium can hold.

    With a reader about, SQLite keeps the log; then the file stays as it is, which is as good to read.
    """
    try:
        journal.out_of_log(connection)
    except sqlite3.OperationalError as error:
        log.info("the session file keeps its write-ahead log: %s", error)


def _tune(connection: sqlite3.Connection) -> None:
    journal.into_log(connection)
    # FULL: a commit is on the disk when it returns, so that power loss takes no acknowledged trial
    connection.execute("PRAGMA synchronous = FULL")
    connection.execute("PRAGMA foreign_keys = ON")
    connection.execute("PRAGMA wal_autocheckpoint = 2000")


def _when_unread(connection: sqlite3.Connection, action: Callable[[], object], wait_s: float | None) -> None:
    """Do what can't be done while another program reads a file without log; wait for that program."""
    until_s = time.monotonic() + (WAIT_FOR_READERS_S if wait_s is None else wait_s)
    connection.execute("PRAGMA busy_timeout = 0")
    while True:
        try:
            action()
            break
        except sqlite3.OperationalError as error:
            if not journal.is_locked(error) or time.monotonic() > until_s:
                raise
        time.sleep(_LOOK_AGAIN_S)
    connection.execute("PRAGMA busy_timeout = 5000")


def require(path: Path) -> None:
    """Make sure that there is a file.

    Raises:
        SessionError: there is none.
    """
    if not path.is_file():
        raise SessionError(
            str(path),
            found="no such file",
            expected=f"a session folder with {FILE_NAME} in it",
            remedy="Name the folder that `closedloop run` made.",
        )


def _checked(path: Path, *, read_only: bool) -> sqlite3.Connection:
    journal.keep_log_alone(path)
    require(path)
    journal.undo_half_done(path)
    try:
        connection, application, version, tables = _opened(path, "ro" if read_only else "rw")
    except (sqlite3.DatabaseError, UnicodeDecodeError) as error:
        raise _read_error(path, error) from error
    if application == 0 and tables == 0:
        connection.close()
        raise SessionSchemaError(
            str(path),
            found="a blank file: the session was cut off before anything was recorded",
            expected="a session",
            remedy="Nothing is lost. `closedloop resume` with the folder begins it anew.",
        )
    if application != APPLICATION_ID or tables == 0:
        connection.close()
        raise SessionSchemaError(
            str(path),
            found="a database that is no session file",
            expected="a file that closedloop wrote",
            remedy="Name the folder that `closedloop run` made.",
        )
    if version not in READABLE_VERSIONS:
        connection.close()
        raise SessionSchemaError(
            str(path),
            found=f"session schema {version}",
            expected=f"schema {' or '.join(map(str, sorted(READABLE_VERSIONS)))}",
            remedy="Use the version of closedloop that wrote it, or a newer one.",
        )
    return connection


def _opened(path: Path, mode: str) -> tuple[sqlite3.Connection, int, int, int]:
    """Return a connection and what the file says of itself: application, schema, number of tables."""
    connection = journal.connect(path, mode)
    try:
        application = connection.execute("PRAGMA application_id").fetchone()[0]
        version = connection.execute("PRAGMA user_version").fetchone()[0]
        tables = connection.execute("SELECT count(*) FROM sqlite_master").fetchone()[0]
    except (sqlite3.DatabaseError, UnicodeDecodeError) as error:
        connection.close()
        if mode == "ro" and _cannot_open(error) and not journal.beside(path, journal.LOG).exists():
            # cut off when its log was put in and gone, and now where nobody can write
            return _opened(path, "immutable")
        raise
    return connection, application, version, tables


def _cannot_open(error: Exception) -> bool:
    return "unable to open" in str(error)


def _read_error(path: Path, error: Exception) -> SessionError:
    if isinstance(error, sqlite3.Error) and journal.is_locked(error):
        return SessionInUseError(
            str(path),
            found="another program that keeps the session file locked",
            expected="a session file that can be read",
            remedy="Try again in a moment.",
        )
    log_file = journal.beside(path, journal.LOG)
    if _cannot_open(error) and log_file.exists():
        return SessionDamagedError(
            str(path),
            found=f"newest records in {log_file.name}, which can't be read where nothing can be written",
            expected="a folder that can be written, since the session was cut off",
            remedy="Copy the whole folder to where it can be written, and use the copy.",
        )
    return SessionDamagedError(
        str(path),
        found=f"the database says: {error}",
        expected="a readable session file",
        remedy="If it was a session file: `closedloop salvage` saves what can be read.",
    )
