"""Whether a session file is damaged: looked at by ``closedloop info``, and when reading it fails oddly."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any

from closedloop.errors import SessionDamagedError
from closedloop.session import database
from closedloop.session.reader import SessionReader

_JSON = (
    ("runs", "environment"),
    ("runs", "display"),
    ("threads", "spec"),
    ("threads", "generator"),
    ("generations", "timing"),
    ("streams", "info"),
    ("markers", "payload"),
    ("events", "detail"),
    ("scans", "drawn"),
    ("scans", "trigger"),
    ("scans", "ledger"),
    ("planned", "fields"),
)
_ODD = (
    ValueError,
    TypeError,
    KeyError,
    IndexError,
    AttributeError,
    ArithmeticError,
    MemoryError,
    AssertionError,
)


def damage_in(reader: SessionReader, most: int = 5) -> list[str]:
    """Return what is wrong with a session file, in words; an empty list if it is sound.

    Looks at the structure of every page, the form of the tables, references between them, and texts that
    hold JSON. Damage within samples and pixels shows when they are read.

    Args:
        reader: of the session.
        most: how many problems to look for.
    """
    found = reader.unsound(most)
    looks = (_form, _references, _texts)
    for look in looks:
        if len(found) < most:
            try:
                found += look(reader)
            except SessionDamagedError as error:
                found.append(error.found)
    return list(dict.fromkeys(found))[:most]


@contextmanager
def damage_told(session: Path) -> Iterator[None]:
    """Turn an odd error into a clear one, if the session file that was read turns out to be damaged.

    Args:
        session: the session's folder, or its session file.
    """
    try:
        yield
    except _ODD as error:
        with SessionReader(session) as reader:
            found = damage_in(reader)
            if not found:
                raise
            raise SessionDamagedError(
                str(reader.path),
                found="; ".join(found),
                expected="a sound session file",
                remedy="`closedloop salvage` saves what can be read; it leaves the damaged file as it is.",
            ) from error


def _form(reader: SessionReader) -> list[str]:
    with closing(database.blank()) as blank:
        names = {str(row[0]) for row in blank.execute("SELECT name FROM sqlite_master WHERE type = 'table'")}
    if reader.schema_version() == 1:
        names -= database.SINCE_2
    return [
        f"the table {name} has not the columns that it should have"
        for name in sorted(names)
        if _columns(reader.columns(name)) != _columns(database.columns_of(name))
    ]


def _columns(described: Iterable[Any]) -> list[tuple[Any, ...]]:
    return [tuple(row)[1:4] for row in described]  # name, type, not null


def _references(reader: SessionReader) -> list[str]:
    broken = reader.broken_references()
    return [f"rows of table {table} name a row of {parent} that is not there" for table, parent in broken]


def _texts(reader: SessionReader) -> list[str]:
    found = []
    for table, column in _JSON:
        for text in reader.texts(table, column):
            try:
                json.loads(text)
            except ValueError:
                found.append(f"a text in table {table}, {column}, is damaged")
                break
    return found
