"""``closedloop report`` and ``closedloop export``: what is made from a recorded session."""

from __future__ import annotations

from enum import Enum
from pathlib import Path
from typing import Annotated

import typer
from rich.markup import escape

from closedloop.errors import SessionError
from experiments.console import err, out

SESSION_FILE = "session.sqlite"

Session = Annotated[
    Path, typer.Argument(help="Session folder, or the session.sqlite in it.", metavar="SESSION")
]


def report(session: Session) -> None:
    """Write report.html of a session anew, from its session file and nothing else.

    For example:
    ```
    closedloop report sessions/demo_evolution_20261121-1000
    ```
    """
    folder = session_folder(session)
    from closedloop.report import write_report

    out.print(f"report: {write_report(folder)}", highlight=False, soft_wrap=True)


class Format(str, Enum):
    """What a session can be exported to."""

    FILES = "files"
    PARQUET = "parquet"
    NWB = "nwb"
    BIDS = "bids"


def export(
    session: Session,
    to: Annotated[
        Format,
        typer.Option("--to", help="files: tables, events and images; parquet: the tables and events alone."),
    ] = Format.FILES,
    folder: Annotated[
        Path | None, typer.Option("--out", help="Write into this folder instead of the session's own.")
    ] = None,
) -> None:
    """Write a session in the formats that others read, also one that crashed or still runs.

    files: `events.tsv` (of an evolution), `tables/` and `images/`; parquet: these without the images; nwb: one
    NWB file; bids: a BIDS dataset in a folder of its own, `bids/`, of a scanner session with the events, triggers
    and responses of every run.

    For example:
    ```
    closedloop export sessions/demo_evolution_20261121-1000 --out /data/for-analysis
    closedloop export sessions/demo_evolution_20261121-1000 --to nwb
    ```
    """
    source = session_folder(session)
    from closedloop.exports import export_bids, export_nwb, export_session

    if to is Format.NWB:
        written = [export_nwb(source, folder)]
    elif to is Format.BIDS:
        written = export_bids(source, folder, say=_tell)
    else:
        written = export_session(source, folder, images=to is Format.FILES)
    for file in written:
        out.print(str(file), highlight=False, soft_wrap=True)


def _tell(line: str) -> None:
    err.print(escape(line), highlight=False, soft_wrap=True)


def folder_of(path: Path) -> Path:
    """Return the folder that a person means by its path or by its session file's, whatever is in it."""
    return path.parent if path.name == SESSION_FILE else path


def session_folder(path: Path) -> Path:
    """Return the session folder that a person means by its path or by its session file's.

    One whose session file is gone and has left its log counts, too: what opens it says what to do.

    Raises:
        SessionError: there is no session.
    """
    from closedloop.session.journal import has_log_alone

    folder = folder_of(path)
    file = folder / SESSION_FILE
    if not file.is_file() and not has_log_alone(file):
        found = f"no {SESSION_FILE} in it" if folder.is_dir() else "no such folder"
        raise SessionError(
            str(path),
            found=found,
            expected=f"a session folder with its {SESSION_FILE}",
            remedy="Give the folder that `closedloop run` named at its end.",
        )
    return folder


def add_to(app: typer.Typer) -> None:
    """Register the commands."""
    app.command()(report)
    app.command()(export)
