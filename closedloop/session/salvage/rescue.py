"""Saves what can be read of a damaged session file into a new one.

Rows are read out of the file's pages directly, so a page that can't be read costs its own rows and nothing
else: neither the file's header, nor its schema, nor the upper pages of its trees are needed.
"""

from __future__ import annotations

import re
import sqlite3
from contextlib import closing
from dataclasses import dataclass, field
from pathlib import Path

from closedloop.errors import DiskError, SessionExistsError, SessionSchemaError
from closedloop.session import database, journal
from closedloop.session.salvage.content import Content
from closedloop.session.salvage.mend import mend
from closedloop.session.salvage.pages import Pages, near
from closedloop.session.salvage.tables import sort_out, tables_of

_JUDGED = ("valid", "invalid")
_PAGE_COUNT = slice(28, 32)  # in the file's header


@dataclass
class Salvaged:
    """What was saved, and what was not.

    Attributes:
        rows: saved, by table.
        lost: what is missing, in words.
        trials: how many judged trials were saved complete.
    """

    rows: dict[str, int] = field(default_factory=dict)
    lost: list[str] = field(default_factory=list)
    trials: int = 0


def salvage(folder: Path, to: Path) -> Salvaged:
    """Save what can be read of a session into a new folder. The damaged file is only read.

    Args:
        folder: the session's folder, or its session file.
        to: folder for the new session file; made if it is missing.

    Raises:
        SessionError: no such file, or there is a session in ``to`` already.
        SessionSchemaError: nothing in the file looks like a session, or it is of another schema.
        DiskError: a file can't be read, or the new one can't be written.
    """
    source = folder if folder.name == database.FILE_NAME else folder / database.FILE_NAME
    target = to / database.FILE_NAME
    if not journal.has_log_alone(source):
        database.require(source)
    if target.exists():
        raise SessionExistsError(
            str(target),
            found="a session",
            expected="a folder without one",
            remedy="Nothing is ever written over: name another folder.",
        )
    try:
        with Content(source) as content:
            return _salvage(source, content, to)
    except OSError as error:
        raise DiskError(
            str(source),
            found=error.strerror or str(error),
            expected="a file that can be read",
            remedy="Check its permissions, or copy what the disk still gives.",
        ) from error


def _salvage(source: Path, content: Content, to: Path) -> Salvaged:
    target = to / database.FILE_NAME
    lost = _lost_as_a_whole(content)
    _check_version(source, content)
    # what is small in memory first: a file that is no session leaves nothing behind
    with closing(database.blank()) as connection:
        tables = {table.name: table for table in tables_of(connection)}
    sort_out(Pages(content).rows(), tables.values())
    if not tables["meta"].rows and not tables["trials"].rows:
        raise SessionSchemaError(
            str(source),
            found="nothing that looks like a record of a session",
            expected="a session file, or what is left of one",
            remedy="Name the session's folder, with session.sqlite and session.sqlite-wal as they were found.",
        )
    lost += mend(tables)
    saved = Salvaged({name: len(table.rows) for name, table in tables.items()}, lost)
    saved.trials = sum(status in _JUDGED for status in tables["trials"].column("status"))
    _make_folder(to)
    connection = database.create(target)
    try:
        connection.execute("BEGIN")
        for table in tables.values():
            marks = ", ".join("?" * len(table.columns))
            connection.executemany(
                f"INSERT INTO {table.name} VALUES ({marks})",  # noqa: S608  the schema's own names
                ([near(value) for value in row] for row in table.in_order()),
            )
        connection.execute("COMMIT")
    except sqlite3.Error as error:
        raise database.write_error(target, error) from error
    finally:
        database.make_plain(connection)
        connection.close()
    return saved


def _lost_as_a_whole(content: Content) -> list[str]:
    """Return what is missing of a file as a whole."""
    lost = []
    if content.bad:
        lost.append(f"{content.bad} pages of the write-ahead log, which are damaged")
    first = content.page(1)
    stated = int.from_bytes(first[_PAGE_COUNT], "big")
    if first[:16] == b"SQLite format 3\0" and content.pages < stated:
        lost.append(f"the end of the file: {content.pages:.1f} of {stated} pages are there")
    return lost


def _check_version(source: Path, content: Content) -> None:
    """Refuse a sound session file of another schema: its rows would be taken for something else."""
    first = content.page(1)
    application = int.from_bytes(first[68:72], "big")
    version = int.from_bytes(first[60:64], "big")
    if application != database.APPLICATION_ID or version in database.READABLE_VERSIONS:
        return
    if not _has_known_schema(content):  # a number that is damaged itself stands beside tables that are known
        raise SessionSchemaError(
            str(source),
            found=f"session schema {version}",
            expected=f"schema {' or '.join(map(str, sorted(database.READABLE_VERSIONS)))}",
            remedy="Use the version of closedloop that wrote it, or a newer one.",
        )


def _has_known_schema(content: Content) -> bool:
    """Whether a file has the tables of a schema that is known, each word for word, and no others.

    A table's statement lies whole in one page: SQLite parts only rows that are nearly as long as a page.
    """
    with closing(database.blank()) as connection:
        made = connection.execute("SELECT name, sql FROM sqlite_master WHERE type = 'table'").fetchall()
    known: dict[str, bytes] = {name: sql.encode() for name, sql in made}
    found: set[str] = set()
    whole: set[str] = set()
    for number in range(1, content.count + 1):
        page = content.page(number)
        here = {name.decode() for name in re.findall(rb"CREATE TABLE (\w+)", page)}
        found |= here
        whole |= {name for name in here if name in known and known[name] in page}
    return known.keys() - database.SINCE_2 <= found <= whole


def _make_folder(to: Path) -> None:
    try:
        to.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise DiskError(
            str(to),
            found=error.strerror or str(error),
            expected="a folder that can be written",
            remedy="Name another folder.",
        ) from error
