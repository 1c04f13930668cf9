"""``closedloop resume``: goes on with a session."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from experiments.commands.sessions import folder_of
from experiments.console import out
from experiments.lsl_quiet import quiet_lsl

Session = Annotated[
    Path, typer.Argument(help="Session folder, or the session.sqlite in it.", metavar="SESSION")
]
Accept = Annotated[
    bool,
    typer.Option(
        "--accept-changes",
        help="Go on even if what differs makes it another experiment; that is logged in the session.",
    ),
]
Set = Annotated[
    list[str] | None,
    typer.Option(
        "--set", metavar="KEY=VALUE", help="Change one value of the session's protocol from now on."
    ),
]


def resume(session: Session, overrides: Set = None, accept_changes: Accept = False) -> None:
    """Go on with a session that ended in whatever way: crash, power cut, Ctrl-C, full disk, or its own end.

    No acknowledged trial is shown again; the one that was cut off is. Of a session in a scanner the runs that
    were not completed are made. Before it goes on, the session is compared with what there is now, and what
    differs is said.

    For example:
    ```
    closedloop resume sessions/monkey_evolution_20261121-1000
    closedloop resume sessions/monkey_evolution_20261121-1000 --set limits.generations=40
    ```
    """
    quiet_lsl()
    go_on(session, overrides or [], accept_changes)


def go_on(session: Path, overrides: list[str], accept_changes: bool) -> None:
    """Resume a session and say where it is; ``closedloop run --resume`` does the same."""
    from experiments.way_on import session_kind

    folder = folder_of(session)
    if session_kind(folder) == "scan":
        from experiments.scan_resume import resume_scan

        folder = resume_scan(folder, overrides=overrides, accept_changes=accept_changes)
    else:
        from experiments.resume import resume_session

        folder = resume_session(folder, overrides=overrides, accept_changes=accept_changes)
    out.print(f"session: {folder}", highlight=False, soft_wrap=True)


def add_to(app: typer.Typer) -> None:
    """Register the command."""
    app.command()(resume)
