"""Writes everything that is derived from a session file, beside it or elsewhere."""

from __future__ import annotations

from pathlib import Path

import pandas as pd

from closedloop.exports.bids import write_events
from closedloop.exports.bids_dataset import write_bids
from closedloop.exports.files import write_whole
from closedloop.exports.images import write_images
from closedloop.exports.nwb import write_nwb
from closedloop.exports.tables import TABLES
from closedloop.session import SessionReader
from closedloop.session.soundness import damage_told


def export_session(
    session_folder: Path, to: Path | None = None, *, tables: bool = True, images: bool = True
) -> list[Path]:
    """Write ``tables/*.parquet``, ``events.tsv``, ``events.json`` and ``images/*.png``.

    Works while the session runs, after a crash, and for a session without any trial. Files of these
    names are written anew, each in one step; nothing else in the folder is touched.

    Args:
        session_folder: the session folder, or its ``session.sqlite``.
        to: folder to write into instead of the session folder.
        tables: write the Parquet tables and the BIDS events.
        images: write the images.

    Returns:
        the files that were written.

    Raises:
        SessionError: no such session, or one that can't be read.
        DiskError: the files can't be written.
    """
    with damage_told(session_folder), SessionReader(session_folder) as reader, reader.snapshot():
        folder = to or reader.folder
        written: list[Path] = []
        if tables:
            for name, make in TABLES.items():
                written.append(_parquet(make(reader), folder / "tables" / f"{name}.parquet"))
            written += write_events(reader, folder)
        if images:
            written += write_images(reader, folder)
        return written


def export_nwb(session_folder: Path, to: Path | None = None) -> Path:
    """Write a session as one NWB file, ``<session>.nwb``, into a folder (its own if None).

    Raises:
        SessionError: no such session, one that can't be read, or pynwb is not installed.
        DiskError: the file can't be written.
    """
    with damage_told(session_folder), SessionReader(session_folder) as reader, reader.snapshot():
        name = reader.meta().get("session", reader.folder.name)
        return write_nwb(reader, (to or reader.folder) / f"{Path(name).name}.nwb")


def export_bids(session_folder: Path, to: Path | None = None) -> list[Path]:
    """Write a session as a BIDS dataset into a folder (``bids`` in its own if None).

    Raises:
        SessionError: no such session, or one that can't be read.
        DiskError: the files can't be written.
    """
    with damage_told(session_folder), SessionReader(session_folder) as reader, reader.snapshot():
        return write_bids(reader, to or reader.folder / "bids")


def _parquet(table: pd.DataFrame, path: Path) -> Path:
    return write_whole(path, lambda temporary: table.to_parquet(temporary, engine="pyarrow", index=False))
