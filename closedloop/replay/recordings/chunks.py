"""Pages through the neural samples of a session file, a few chunks in memory at a time.

A session's samples may be many times larger than the memory, and its file may still be written: so there
is no long-lived query, which would keep the write-ahead log from being folded back.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Generator
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from closedloop.errors import SessionDamagedError
from closedloop.replay.recordings.recording import Block, Damage, Piece
from closedloop.session import codec, database

_PAGE = 32
_COLUMNS = "sequence, samples, channels, dtype, correction_s, stamps, data"


@dataclass(frozen=True)
class Span:
    """The chunks of one role in one run.

    Attributes:
        first: sequence of the first chunk.
        last: of the last one; those written after the recording was opened are not played.
        first_s: ``local_clock`` of the first sample.
        last_s: of the last one.
    """

    role: str
    run: int
    first: int
    last: int
    first_s: float
    last_s: float


def recorded_roles(path: Path) -> list[tuple[str, int]]:
    """Return each role and run of which there are chunks.

    Raises:
        SessionError: the file can't be read.
    """
    with closing(database.open_reader(path)) as connection:
        found = _rows(connection, path, "SELECT DISTINCT run, role FROM chunks")
    return [(str(row["role"]), int(row["run"])) for row in found]


def find_span(path: Path, role: str, run: int) -> Span | None:
    """Return the span of a role in a run; None if there is no chunk.

    Raises:
        SessionError: the file can't be read.
    """
    sql = (
        "SELECT sequence, first_s, last_s FROM chunks WHERE run = ? AND role = ? ORDER BY sequence {} LIMIT 1"
    )
    with closing(database.open_reader(path)) as connection:
        first = _rows(connection, path, sql.format("ASC"), run, role)
        last = _rows(connection, path, sql.format("DESC"), run, role)
    if not first:
        return None
    return Span(role, run, first[0]["sequence"], last[0]["sequence"], first[0]["first_s"], last[0]["last_s"])


def read_span(
    path: Path, span: Span, channels: int, dtype: str, since_s: float
) -> Generator[Piece, None, None]:
    """Yield the samples of a span, a chunk at a time, from the first chunk that reaches a time.

    Args:
        path: of the session file.
        span: what to read.
        channels: how many each chunk must have.
        dtype: type that each chunk must have.
        since_s: ``local_clock``; chunks that end before it are left out.

    Raises:
        SessionError: the file can't be read any further. A single chunk that is broken does not raise: it
            comes as ``Damage``.
    """
    with closing(database.open_reader(path)) as connection:
        following = span.first if since_s <= span.first_s else _sequence_at(connection, path, span, since_s)
        sql = (
            f"SELECT {_COLUMNS} FROM chunks WHERE run = ? AND role = ? AND sequence BETWEEN ? AND ?"  # noqa: S608 - no outside text in it
            f" ORDER BY sequence LIMIT {_PAGE}"
        )
        while following is not None and following <= span.last:
            page = _rows(connection, path, sql, span.run, span.role, following, span.last)
            for row in page:
                piece = _piece(row, span, channels, dtype)
                if piece is not None:
                    yield piece
            following = page[-1]["sequence"] + 1 if page else None


def _sequence_at(connection: sqlite3.Connection, path: Path, span: Span, since_s: float) -> int | None:
    # "+run": the index over times is the one to use, and no row of another run is many rows away
    sql = (
        "SELECT sequence FROM chunks WHERE role = ? AND +run = ? AND last_s >= ?"
        " ORDER BY last_s, sequence LIMIT 1"
    )
    rows = _rows(connection, path, sql, span.role, span.run, since_s)
    return rows[0]["sequence"] if rows else None


def _piece(row: sqlite3.Row, span: Span, channels: int, dtype: str) -> Piece | None:
    where = f"chunk {row['sequence']} of {span.role}, run {span.run}"
    if row["samples"] == 0:
        return None
    if (row["channels"], row["dtype"]) != (channels, dtype):
        other = f"{row['channels']} channels of {row['dtype']}, unlike its stream's {channels} of {dtype}"
        return Damage(where, other)
    try:
        stamps = codec.unpack(row["stamps"], np.float64, (row["samples"],))
        values = codec.unpack(row["data"], dtype, (row["samples"], channels))
    except ValueError as error:
        return Damage(where, str(error))
    times_s = stamps + row["correction_s"]
    if not np.isfinite(times_s).all():
        return Damage(where, "stamps that are no numbers")
    return Block(times_s, values)


def _rows(connection: sqlite3.Connection, path: Path, sql: str, *values: object) -> list[sqlite3.Row]:
    try:
        return connection.execute(sql, values).fetchall()
    except sqlite3.DatabaseError as error:
        raise SessionDamagedError(
            str(path),
            found=f"the database says: {error}",
            expected="a readable session file",
            remedy="Work on a copy of the whole folder, session.sqlite-wal included.",
        ) from error
