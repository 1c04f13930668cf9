"""Reading a session file: by resume, replay, report, export and anything else, also while it runs."""

from __future__ import annotations

import json
import sqlite3
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd

from closedloop.errors import SessionDamagedError
from closedloop.ports import Float64, Pixels
from closedloop.session import codec, database


@dataclass(frozen=True)
class Samples:
    """Samples of one role, in order. ``times_s`` (n,) corrected, ``values`` (n, channels)."""

    times_s: Float64
    values: npt.NDArray[Any]
    segments: npt.NDArray[np.int64]


class SessionReader:
    """A read-only view of one session folder.

    Args:
        folder: the session folder (or the path of its ``session.sqlite``).

    Raises:
        SessionError: see :func:`closedloop.session.database.open_reader`.
    """

    def __init__(self, folder: Path) -> None:
        self.path = folder if folder.name == database.FILE_NAME else folder / database.FILE_NAME
        self.folder = self.path.parent
        self._connection = database.open_reader(self.path)

    def __enter__(self) -> SessionReader:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """Close the file."""
        self._connection.close()

    @contextmanager
    def snapshot(self) -> Iterator[None]:
        """Read the file as it is now for a while, though its writer goes on. Not to be nested."""
        self._rows("BEGIN")
        try:
            yield
        finally:
            self._rows("ROLLBACK")

    def schema_version(self) -> int:
        """Number of the schema that the file itself is of."""
        return int(self._rows("PRAGMA user_version")[0][0])

    def meta(self) -> dict[str, str]:
        """Session id, protocol text, seed, program version and so on."""
        return {row["key"]: row["value"] for row in self._rows("SELECT key, value FROM meta")}

    def table(self, name: str) -> pd.DataFrame:
        """Return a whole table without its blobs.

        Columns have the same type whether or not any row is there or any value is missing: int64 or
        float64, Int64 where an integer may be missing, and pandas' string.

        Args:
            name: a table of the schema; one that a file of an older schema lacks has its columns and no rows.
        """
        there = self.columns(name)
        described = there or database.columns_of(_identifier(name))
        columns = {row["name"]: _dtype(row) for row in described if row["type"] != "BLOB"}
        sql = f"SELECT {', '.join(columns)} FROM {_identifier(name)}"  # noqa: S608 - identifier checked
        rows = self._rows(sql) if there or not described else []
        try:
            return pd.DataFrame([tuple(row) for row in rows], columns=list(columns)).astype(columns)
        except (ValueError, TypeError, OverflowError) as error:  # values that the schema does not let in
            raise self._damaged(f"table {name}", error) from error

    def details(self, table: str, column: str) -> list[dict[str, Any]]:
        """Return a JSON column of a table, decoded, in the table's order; none of a table that is not there."""
        if self._lacks(table):
            return []
        sql = f"SELECT {_identifier(column)} AS c FROM {_identifier(table)}"  # noqa: S608 - identifier checked
        try:
            return [json.loads(row["c"]) if row["c"] else {} for row in self._rows(sql)]
        except (ValueError, TypeError) as error:
            raise self._damaged(f"table {table}, {column}", error) from error

    def code(self, image: int) -> npt.NDArray[np.float32] | None:
        """Return the code of an image (d,), or None for a reference from a file."""
        row = self._one("SELECT code FROM images WHERE image = ?", image)
        return None if row["code"] is None else self._array(row["code"], "<f4", f"code of image {image}")

    def codes(self, thread: int, generation: int) -> npt.NDArray[np.float32]:
        """Return the codes of a generation (n, d), in the order of rows."""
        rows = self._rows(
            "SELECT code FROM images WHERE kind = 'evolved' AND thread = ? AND generation = ? ORDER BY row",
            thread,
            generation,
        )
        where = f"codes of generation {generation}"
        codes = [self._array(row["code"], "<f4", where) for row in rows]
        try:
            return np.stack(codes)
        except ValueError as error:
            raise self._damaged(where, error) from error

    def pixels(self, image: int) -> Pixels | None:
        """Return the pixels of an image (h, w, 3), or None if it was never rendered."""
        row = self._one("SELECT height_px, width_px, pixels FROM images WHERE image = ?", image)
        if row["pixels"] is None:
            return None
        try:
            raw = zlib.decompress(row["pixels"])
            return np.frombuffer(raw, dtype=np.uint8).reshape(row["height_px"], row["width_px"], 3)
        except (zlib.error, ValueError, TypeError) as error:
            raise self._damaged(f"image {image}", error) from error

    def flips(self, trial: int, run: int | None = None) -> Float64:
        """Return the stamps of every flip of a trial (in its last run, if none is named)."""
        row = self._of_trial("flips", "trials", trial, run)
        return self._array(row["flips"] or b"", "<f8", f"flips of trial {trial}")

    def rates(self, trial: int, run: int | None = None) -> Float64:
        """Return the rates (units,) in the response window of a valid trial, spikes/s."""
        row = self._of_trial("rates", "responses", trial, run)
        return self._array(row["rates"], "<f8", f"rates of trial {trial}")

    def baseline(self, trial: int, run: int | None = None) -> Float64 | None:
        """Return the rates (units,) in the baseline window of a valid trial, spikes/s; None if not measured."""
        row = self._of_trial("baseline", "responses", trial, run)
        if row["baseline"] is None:
            return None
        return self._array(row["baseline"], "<f8", f"baseline of trial {trial}")

    def chunk_arrays(
        self, role: str, since_s: float = -np.inf, until_s: float = np.inf, run: int | None = None
    ) -> Iterator[tuple[sqlite3.Row, Float64, npt.NDArray[Any]]]:
        """Yield each chunk that touches a span of time: its row, raw stamps, values.

        One chunk is in memory at a time: a session's samples may be many times larger than that. After a restart
        of the machine the clock begins anew, so a span of time may lie in more than one run.

        Args:
            role: of the stream.
            since_s: start of the span.
            until_s: its end.
            run: only chunks of this run; None: of every run.
        """
        keys = self._rows(
            "SELECT rowid AS at FROM chunks WHERE role = ? AND last_s >= ? AND first_s <= ?"
            " AND (? IS NULL OR run = ?) ORDER BY run, sequence",
            role,
            since_s if np.isfinite(since_s) else -1e300,
            until_s if np.isfinite(until_s) else 1e300,
            run,
            run,
        )
        for key in keys:
            row = self._one("SELECT * FROM chunks WHERE rowid = ?", key["at"])
            try:
                stamps = codec.unpack(row["stamps"], np.float64, (row["samples"],))
                values = codec.unpack(row["data"], row["dtype"], (row["samples"], row["channels"]))
            except (ValueError, TypeError) as error:
                raise self._damaged(f"chunk {row['sequence']} of {role}, run {row['run']}", error) from error
            yield row, stamps, values

    def stamps(self, role: str, run: int) -> Iterator[Float64]:
        """Yield the corrected stamps (n,) of each chunk of a run, in order, without reading its values."""
        sequences = self._rows(
            "SELECT sequence FROM chunks WHERE role = ? AND run = ? ORDER BY sequence", role, run
        )
        for key in sequences:
            row = self._one(
                "SELECT samples, stamps, correction_s FROM chunks WHERE role = ? AND run = ? AND sequence = ?",
                role,
                run,
                key["sequence"],
            )
            try:
                yield codec.unpack(row["stamps"], np.float64, (row["samples"],)) + row["correction_s"]
            except (ValueError, TypeError) as error:
                raise self._damaged(f"chunk {key['sequence']} of {role}, run {run}", error) from error

    def samples(self, role: str, since_s: float = -np.inf, until_s: float = np.inf) -> Samples:
        """Return the samples of a role whose chunks touch a span of time."""
        times: list[Float64] = []
        values: list[npt.NDArray[Any]] = []
        segments: list[npt.NDArray[np.int64]] = []
        for row, stamps, block in self.chunk_arrays(role, since_s, until_s):
            times.append(stamps + row["correction_s"])
            values.append(block)
            segments.append(np.full(len(stamps), row["run"] * 1_000_000 + row["segment"], dtype=np.int64))
        if not times:
            return Samples(np.empty(0), np.empty((0, 0)), np.empty(0, dtype=np.int64))
        return Samples(np.concatenate(times), np.concatenate(values), np.concatenate(segments))

    def unsound(self, most: int = 100) -> list[str]:
        """Look at the structure of every page; return what is wrong with it, an empty list if nothing is.

        Damage within the values of a page is not found so; arrays tell it when they are read.

        Args:
            most: how many problems to look for.
        """
        try:
            found = self._rows(f"PRAGMA quick_check({int(most)})")
        except SessionDamagedError as error:
            return [error.found]
        texts = [str(row[0]).strip() for row in found]
        return [] if texts == ["ok"] else [" ".join(text.split()) for text in texts]

    def columns(self, table: str) -> list[sqlite3.Row]:
        """Return what SQLite says of a table's columns (``PRAGMA table_info``)."""
        return self._rows(f"PRAGMA table_info({_identifier(table)})")

    def broken_references(self) -> list[tuple[str, str]]:
        """Return which table names rows of which other one that are not there."""
        rows = self._rows('SELECT DISTINCT "table", parent FROM pragma_foreign_key_check')
        return [(str(row[0]), str(row[1])) for row in rows]

    def texts(self, table: str, column: str) -> list[str]:
        """Return the texts of a column, without those that are missing."""
        if self._lacks(table):
            return []
        name = _identifier(column)
        sql = f"SELECT {name} FROM {_identifier(table)} WHERE {name} NOT NULL"  # noqa: S608 - identifiers checked
        return [str(row[0]) for row in self._rows(sql)]

    # --- inside

    def _lacks(self, table: str) -> bool:
        """Whether a table of the schema is missing because the file is of an older one."""
        return table in database.SINCE_2 and not self.columns(table)

    def _rows(self, sql: str, *values: Any) -> list[sqlite3.Row]:
        try:
            return self._connection.execute(sql, values).fetchall()
        except (sqlite3.DatabaseError, UnicodeDecodeError, OverflowError) as error:
            raise self._damaged("the file", error) from error

    def _array(self, blob: Any, dtype: str, what: str) -> npt.NDArray[Any]:
        """Return an array that is stored as its plain bytes, in the machine's own byte order."""
        try:
            return np.frombuffer(blob, dtype=dtype).astype(np.dtype(dtype).newbyteorder("="))
        except (ValueError, TypeError) as error:
            raise self._damaged(what, error) from error

    def _one(self, sql: str, *values: Any) -> sqlite3.Row:
        rows = self._rows(sql, *values)
        if not rows:
            raise KeyError(f"nothing in the session file for {values}")
        return rows[0]

    def _of_trial(self, column: str, table: str, trial: int, run: int | None) -> sqlite3.Row:
        where = "trial = ?" if run is None else "trial = ? AND run = ?"
        values = (trial,) if run is None else (trial, run)
        sql = f"SELECT {column} FROM {table} WHERE {where} ORDER BY run DESC LIMIT 1"  # noqa: S608 - no outside text in it
        return self._one(sql, *values)

    def _damaged(self, what: str, error: Exception) -> SessionDamagedError:
        return SessionDamagedError(
            f"{self.path}: {what}",
            found=f"unreadable data ({error})",
            expected="what was written",
            remedy="`closedloop salvage` saves what can be read; it leaves the damaged file as it is.",
        )


def _dtype(column: sqlite3.Row) -> str:
    if column["type"] == "INTEGER":
        return "int64" if column["notnull"] or column["pk"] else "Int64"
    return {"REAL": "float64", "TEXT": "string"}[column["type"]]


def _identifier(name: str) -> str:
    if not name.isidentifier():
        raise ValueError(f"{name!r} is no name of a table or column")
    return name
