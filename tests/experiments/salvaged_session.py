"""Sessions of which some rows were lost, and the rest was salvaged."""

from __future__ import annotations

import shutil
from pathlib import Path

from closedloop.session.database import FILE_NAME, open_writer
from closedloop.session.salvage import salvage


def lose(folder: Path, *statements: str) -> None:
    """Let some rows of a session be lost, whatever else refers to them."""
    connection = open_writer(folder / FILE_NAME)
    connection.execute("PRAGMA foreign_keys = OFF")
    for statement in statements:
        connection.execute(statement)
    connection.close()


def saved(folder: Path, to: Path, *statements: str) -> Path:
    """Let some rows of a copy of a session be lost, and salvage what is left of it."""
    damaged = Path(shutil.copytree(folder, to.with_name(f"{to.name}-damaged")))
    lose(damaged, *statements)
    salvage(damaged, to)
    return to
