"""Tells to which table of a session file a row belongs, by its form."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any, cast

from closedloop.session.salvage.pages import LOST, Far, Row, Value

_FITS: dict[str, tuple[type, ...]] = {
    "INTEGER": (int,),
    "REAL": (int, float),  # SQLite stores a whole number as one
    "TEXT": (str,),
    "BLOB": (bytes, Far),
}


@dataclass(frozen=True)
class Column:
    """A column of the schema."""

    name: str
    type: str
    may_be_null: bool


@dataclass
class Table:
    """A table of the schema, and the rows of it that were found.

    Attributes:
        alias: index of the column that is another name of the rowid; None without one.
        key: indices of the columns that name a row; empty: the rowid does.
        rows: by key.
    """

    name: str
    columns: tuple[Column, ...]
    with_rowid: bool
    alias: int | None
    key: tuple[int, ...]
    rows: dict[tuple[Value, ...], list[Value]] = field(default_factory=dict)

    def index(self, column: str) -> int:
        """Place of a column."""
        return [one.name for one in self.columns].index(column)

    def column(self, name: str) -> list[Value]:
        """All values of a column."""
        at = self.index(name)
        return [row[at] for row in self.rows.values()]

    def in_order(self) -> list[list[Value]]:
        """All rows in the order of their keys."""
        # the keys of one table are of one type; only that a type checker can't know
        ordered: list[tuple[Any, list[Value]]] = sorted(
            self.rows.items(), key=lambda item: cast("Any", item[0])
        )
        return [row for _, row in ordered]

    def take(self, row: Row) -> bool:
        """Keep a row if it has the form of this table's; of two with one key the first is kept."""
        if not self._fits(row):
            return False
        values = list(row.values)
        if self.alias is not None:
            values[self.alias] = row.rowid
        key = tuple(values[i] for i in self.key) or (row.rowid,)
        self.rows.setdefault(key, values)
        return True

    def _fits(self, row: Row) -> bool:
        if (row.rowid is not None) != self.with_rowid or len(row.values) != len(self.columns):
            return False
        for index, (value, column) in enumerate(zip(row.values, self.columns, strict=True)):
            if index == self.alias:
                if value is not None:
                    return False
            elif value is None:
                if not column.may_be_null:
                    return False
            elif value is LOST:
                if not column.may_be_null or index != len(self.columns) - 1:
                    return False
            elif not isinstance(value, _FITS[column.type]):
                return False
        return True


def tables_of(connection: sqlite3.Connection) -> list[Table]:
    """Return the tables of a new session file, empty, in the order of the schema."""
    tables = []
    names = connection.execute("SELECT name FROM sqlite_master WHERE type = 'table' ORDER BY rootpage")
    for (name,) in names.fetchall():
        without = connection.execute("SELECT wr FROM pragma_table_list WHERE name = ?", (name,)).fetchone()[0]
        described = connection.execute(f"PRAGMA table_info({name})").fetchall()
        key = tuple(i for i, row in enumerate(described) if row["pk"])
        alone = len(key) == 1 and described[key[0]]["type"] == "INTEGER" and not without
        columns = tuple(
            Column(row["name"], row["type"], not row["notnull"] and not row["pk"]) for row in described
        )
        tables.append(Table(name, columns, not without, key[0] if alone else None, key))
    return tables


def sort_out(rows: Iterable[Row], tables: Iterable[Table]) -> None:
    """Give each row to the table whose form it has; those of indices fit none."""
    known = list(tables)
    for row in rows:
        any(table.take(row) for table in known)
