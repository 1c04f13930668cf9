"""Writes everything that is derived from a session file, beside it or elsewhere."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pandas as pd

from closedloop.exports.bids import write_events
from closedloop.exports.bids_dataset import write_bids
from closedloop.exports.files import write_whole
from closedloop.exports.images import FOLDER, write_images
from closedloop.exports.nwb import write_nwb
from closedloop.exports.scan_bids import write_scan_bids
from closedloop.exports.scan_nwb import write_scan_nwb
from closedloop.exports.scan_stimuli import write_stimuli
from closedloop.exports.scan_tables import SCAN_TABLES
from closedloop.exports.tables import TABLES
from closedloop.scan.recorded import is_scan
from closedloop.session import SessionReader
from closedloop.session.soundness import damage_told


def export_session(
    session_folder: Path, to: Path | None = None, *, tables: bool = True, images: bool = True
) -> list[Path]:
    """Write ``tables/*.parquet``, ``images/*.png`` and, of an evolution, ``events.tsv`` and ``events.json``.

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
        scan = is_scan(reader)
        if tables:
            for name, make in (SCAN_TABLES if scan else TABLES).items():
                written.append(_parquet(make(reader), folder / "tables" / f"{name}.parquet"))
            if not scan:  # each scan run has its own zero, so their events are in the BIDS dataset
                written += write_events(reader, folder)
        if images:
            written += write_stimuli(reader, folder / FOLDER) if scan else write_images(reader, folder)
        return written


def export_nwb(session_folder: Path, to: Path | None = None) -> Path:
    """Write a session as one NWB file, ``<session>.nwb``, into a folder (its own if None).

    Raises:
        SessionError: no such session, one that can't be read, or pynwb is not installed.
        DiskError: the file can't be written.
    """
    with damage_told(session_folder), SessionReader(session_folder) as reader, reader.snapshot():
        name = reader.meta().get("session", reader.folder.name)
        path = (to or reader.folder) / f"{Path(name).name}.nwb"
        return write_scan_nwb(reader, path) if is_scan(reader) else write_nwb(reader, path)


def export_bids(
    session_folder: Path, to: Path | None = None, *, say: Callable[[str], None] | None = None
) -> list[Path]:
    """Write a session as a BIDS dataset into a folder (``bids`` in its own if None).

    Args:
        session_folder: the session folder, or its ``session.sqlite``.
        to: the dataset's folder.
        say: takes a line about what others put into the folder; None: it is logged.

    Raises:
        SessionError: no such session, or one that can't be read.
        DiskError: the files can't be written.
    """
    with damage_told(session_folder), SessionReader(session_folder) as reader, reader.snapshot():
        folder = to or reader.folder / "bids"
        return write_scan_bids(reader, folder, say=say) if is_scan(reader) else write_bids(reader, folder)


def _parquet(table: pd.DataFrame, path: Path) -> Path:
    return write_whole(path, lambda temporary: table.to_parquet(temporary, engine="pyarrow", index=False))
