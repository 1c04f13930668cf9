"""docs/session-file.md is held to the schema, to the exports, and its snippet to a real session."""

from __future__ import annotations

import re
import sqlite3
from importlib import resources
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from scan_session_factory import write_scan_session
from session_factory import SessionPlan, write_session

from closedloop.exports.scan_tables import SCAN_TABLES
from closedloop.exports.tables import TABLES
from closedloop.session import SessionReader, database

PAGE = (Path(__file__).parents[3] / "docs" / "session-file.md").read_text(encoding="utf-8")


def schema() -> dict[str, list[str]]:
    connection = sqlite3.connect(":memory:")
    sql = resources.files("closedloop.session").joinpath("schema.sql").read_text(encoding="utf-8")
    connection.executescript(sql)
    names = [row[0] for row in connection.execute("SELECT name FROM sqlite_master WHERE type = 'table'")]
    return {name: [row[1] for row in connection.execute(f"PRAGMA table_info({name})")] for name in names}


SCHEMA = schema()


def section(table: str) -> str:
    match = re.search(rf"^### `{table}`\n(.*?)(?=^##)", PAGE, re.MULTILINE | re.DOTALL)
    assert match, f"no section about {table}"
    return match[1]


@pytest.mark.parametrize("table", SCHEMA)
def test_each_column_of_the_schema_is_documented_and_no_other(table: str) -> None:
    cells = re.findall(r"^\| (`[^|]*) \|", section(table), re.MULTILINE)
    documented = [name for cell in cells for name in re.findall(r"`(\w+)`", cell)]
    assert documented == SCHEMA[table]


def test_the_numbers_that_tell_a_session_file_are_documented() -> None:
    assert f"`0x{database.APPLICATION_ID:X}`" in PAGE
    assert f"number, now {database.SCHEMA_VERSION}." in PAGE


def test_each_column_of_the_exported_tables_is_documented(tmp_path: Path) -> None:
    folder = write_session(tmp_path / "s", SessionPlan(generations=2))
    with SessionReader(folder) as reader:
        for name, make in TABLES.items():
            row = re.search(rf"^\| `{name}` \|.*$", PAGE, re.MULTILINE)
            assert row, f"no row about {name}"
            known = {*re.findall(r"`(\w+)`", row[0]), *SCHEMA.get(name, [])}
            known |= {column for column in make(reader) if re.fullmatch(r"dead_\w+_ms", column)}
            assert set(make(reader).columns) <= known, name


def test_each_column_of_the_tables_of_scans_is_documented(tmp_path: Path) -> None:
    folder = write_scan_session(tmp_path / "s")
    with SessionReader(folder) as reader:
        for name, make in SCAN_TABLES.items():
            row = re.search(rf"^\| `{name}` \|.*$", PAGE, re.MULTILINE)
            assert row, f"no row about {name}"
            assert set(make(reader).columns) <= {*re.findall(r"`(\w+)`", row[0]), *SCHEMA.get(name, [])}, name


def test_the_snippet_reads_a_session(tmp_path: Path) -> None:
    snippet = re.search(r"```python\n(.*?)```", PAGE, re.DOTALL)
    assert snippet
    folder = write_session(tmp_path / "s", SessionPlan(resumed=True))
    found: dict[str, Any] = {"folder": folder}
    exec(snippet[1], found)  # noqa: S102 - the page's own snippet
    with SessionReader(folder) as reader:
        samples = reader.samples("response")
        trials = reader.table("responses")
        np.testing.assert_array_equal(found["times"], samples.times_s)
        np.testing.assert_array_equal(found["values"], samples.values)
        np.testing.assert_array_equal(found["codes"], reader.codes(0, 3))
        assert len(found["trials"]) == len(trials)
        assert [value for *_, value in found["trials"]] == trials["value"].tolist()
        assert found["rates"].shape == (len(trials), 3)
        assert found["picture"].shape == (32, 32, 3)
    found["db"].close()
