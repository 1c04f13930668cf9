"""Opening the session's SQLite file, for its one writer and for any number of readers."""

from __future__ import annotations

import logging
import sqlite3
from contextlib import closing
from functools import cache
from importlib import resources
from pathlib import Path

from closedloop.errors import DiskError, SessionDamagedError, SessionError, SessionSchemaError

log = logging.getLogger(__name__)

SCHEMA_VERSION = 2
READABLE_VERSIONS = frozenset({1, 2})
"""Of these, files are read and gone on with: schema 1 lacks the scanner's tables, and is the same otherwise."""

SINCE_2 = frozenset({"scans", "planned", "pulses", "presses"})
"""Tables that a file of schema 1 lacks."""

APPLICATION_ID = 0x434C4F50  # "CLOP": lets a reader tell a session file from any other SQLite file
FILE_NAME = "session.sqlite"


def create(path: Path) -> sqlite3.Connection:
    """Make a new session file and return its writer.

    Raises:
        DiskError: the file can't be written.
    """
    try:
        connection = _connect(path)
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


def open_writer(path: Path) -> sqlite3.Connection:
    """Open an existing session file to go on with it."""
    connection = _checked(path, read_only=False)
    _tune(connection)
    return connection


def is_blank(path: Path) -> bool:
    """Return whether a file is there in which nothing was ever recorded: a crash cut its making off."""
    if not path.is_file():
        return False
    try:
        connection = _connect(path, read_only=True)
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
    """Remove a session file that is blank, with its log."""
    for suffix in ("", "-wal", "-shm", "-journal"):
        path.with_name(path.name + suffix).unlink(missing_ok=True)


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
            remedy="Work on a copy of the whole folder, session.sqlite-wal included.",
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
        connection.execute("PRAGMA journal_mode = DELETE")
    except sqlite3.OperationalError as error:
        log.info("the session file keeps its write-ahead log: %s", error)


def _connect(path: Path, *, read_only: bool = False) -> sqlite3.Connection:
    mode = "ro" if read_only else "rwc"
    connection = sqlite3.connect(
        f"{path.resolve().as_uri()}?mode={mode}", uri=True, isolation_level=None, timeout=5.0
    )
    connection.row_factory = sqlite3.Row
    return connection


def _tune(connection: sqlite3.Connection) -> None:
    connection.execute("PRAGMA journal_mode = WAL")
    # FULL: a commit is on the disk when it returns, so that power loss takes no acknowledged trial
    connection.execute("PRAGMA synchronous = FULL")
    connection.execute("PRAGMA foreign_keys = ON")
    connection.execute("PRAGMA wal_autocheckpoint = 2000")


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
    require(path)
    try:
        connection = _connect(path, read_only=read_only)
        application = connection.execute("PRAGMA application_id").fetchone()[0]
        version = connection.execute("PRAGMA user_version").fetchone()[0]
        tables = connection.execute("SELECT count(*) FROM sqlite_master").fetchone()[0]
    except (sqlite3.DatabaseError, UnicodeDecodeError) as error:
        raise SessionDamagedError(
            str(path),
            found=f"the database says: {error}",
            expected="a readable session file",
            remedy="If it was a session file: `closedloop salvage` saves what can be read.",
        ) from error
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
