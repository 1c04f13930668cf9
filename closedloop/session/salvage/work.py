"""What mending does to tables again and again."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable
from typing import Any

from closedloop.session.salvage.tables import Table

Rows = dict[str, Table]
_MOST_NAMED = 12


def dicts(table: Table) -> list[dict[str, Any]]:
    """Return the rows of a table by column."""
    names = [column.name for column in table.columns]
    return [dict(zip(names, row, strict=True)) for row in table.rows.values()]


def drop(table: Table, unwanted: Callable[[dict[str, Any]], bool]) -> list[tuple[Any, ...]]:
    """Take rows out of a table; return their keys."""
    names = [column.name for column in table.columns]
    gone = [key for key, row in table.rows.items() if unwanted(dict(zip(names, row, strict=True)))]
    for key in gone:
        del table.rows[key]
    return gone


def drop_orphans(table: Table, unwanted: Callable[[dict[str, Any]], bool], parent: str) -> list[str]:
    """Take rows out of a table whose parent is lost; say how many, if any.

    Args:
        table: to take them out of.
        unwanted: whether a row is to go.
        parent: what is lost of them, in words.
    """
    n = len(drop(table, unwanted))
    return [f"{n} {'row' if n == 1 else 'rows'} of table {table.name}, whose {parent} is lost"] if n else []


def put(table: Table, **values: Any) -> None:
    """Put a row into a table; columns that are not named are NULL."""
    row = [values.get(column.name) for column in table.columns]
    table.rows[tuple(row[i] for i in table.key)] = row


def listed(what: str, numbers: Iterable[int]) -> str:
    """Return ``trials 3, 7 to 9`` and so on."""
    ordered = sorted(set(numbers))
    runs: list[tuple[int, int]] = []
    for number in ordered:
        if runs and number == runs[-1][1] + 1:
            runs[-1] = (runs[-1][0], number)
        else:
            runs.append((number, number))
    parts = [str(first) if first == last else f"{first} to {last}" for first, last in runs[:_MOST_NAMED]]
    text = f"{what}{'' if len(ordered) == 1 else 's'} {', '.join(parts)}"
    left = len(runs) - _MOST_NAMED
    return f"{text} and more ({len(ordered)} in all)" if left > 0 else text


def is_no_json(column: str, row: dict[str, Any]) -> bool:
    """Whether a column holds no JSON that can be read."""
    try:
        json.loads(row[column])
    except (ValueError, TypeError):
        return True
    return False
