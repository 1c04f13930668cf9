"""``closedloop info`` and ``closedloop salvage``: what a session file holds, and how to save a damaged one."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer
from rich.markup import escape
from rich.table import Table

from closedloop.errors import SessionDamagedError
from experiments.commands.sessions import session_folder
from experiments.console import err, out

Session = Annotated[
    Path, typer.Argument(help="Session folder, or the session.sqlite in it.", metavar="SESSION")
]


def info(
    session: Session,
    to: Annotated[
        Path | None,
        typer.Option("--salvage", metavar="FOLDER", help="Save what can be read into a new session folder."),
    ] = None,
) -> None:
    """Tell in one screen what a session is, how it went and how it ended.

    Works while the session runs, after a crash, and for a damaged file, of which it tells what can be
    read; it then ends with 7.

    For example:
    ```
    closedloop info sessions/demo_evolution_20261121-1000
    closedloop info broken/session.sqlite --salvage saved
    ```
    """
    folder = session_folder(session)
    if to is not None:
        salvage(session, to)
        return
    from closedloop.replay.summary import summarise
    from closedloop.session import SessionReader

    with SessionReader(folder) as reader, reader.snapshot():
        summary = summarise(reader)
        path = reader.path
    grid = Table.grid(padding=(0, 2))
    grid.add_column(style="bold", no_wrap=True)
    grid.add_column(overflow="fold")
    for label, text in summary.lines:
        grid.add_row(escape(label), escape(text))
    out.print(grid, highlight=False)
    if summary.damages:
        raise SessionDamagedError(
            str(path),
            found="; ".join(summary.damages[:3]),
            expected="a session file without damage",
            remedy=f"Save what can be read: closedloop salvage {folder} --to NEW-FOLDER",
        )


def salvage(
    session: Session,
    to: Annotated[Path, typer.Option("--to", metavar="FOLDER", help="Folder of the new session file.")],
) -> None:
    """Save every complete trial of a damaged session file into a new one, and say what is missing.

    The damaged file is only read. What was saved can be reported, exported and verified, and resumed if no code,
    score or judgement in the middle of it is missing (docs/resume.md).

    For example:
    ```
    closedloop salvage sessions/broken --to sessions/saved
    ```
    """
    from closedloop.session.salvage import salvage as save

    saved = save(session_folder(session), to)
    table = Table(title=f"saved to {escape(str(to))}", title_justify="left")
    table.add_column("table")
    table.add_column("rows saved", justify="right")
    for name, n in saved.rows.items():
        table.add_row(name, f"{n:,}")
    out.print(table)
    out.print(f"{saved.trials:,} judged trials are complete.", highlight=False)
    for sentence in saved.lost:
        err.print(f"[yellow]missing[/] {escape(sentence)}", highlight=False, soft_wrap=True)
    if not saved.lost:
        out.print("Nothing is missing.")


def add_to(app: typer.Typer) -> None:
    """Register the commands."""
    app.command()(info)
    app.command()(salvage)
