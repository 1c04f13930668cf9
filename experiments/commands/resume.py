"""``closedloop resume``: goes on with a session."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, NoReturn

import typer

from experiments.commands.sessions import folder_of, session_folder
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
Repeat = Annotated[
    list[str] | None,
    typer.Option(
        "--repeat",
        metavar="LABEL",
        help="In the scanner: make this run again though it was completed; may be given several times.",
    ),
]
NoRepeat = Annotated[
    list[str] | None,
    typer.Option(
        "--no-repeat",
        metavar="LABEL",
        help="In the scanner: leave this run as it was completed, though an earlier --repeat named it;"
        " may be given several times.",
    ),
]


def resume(
    session: Session,
    overrides: Set = None,
    accept_changes: Accept = False,
    repeat: Repeat = None,
    no_repeat: NoRepeat = None,
) -> None:
    """Go on with a session that ended in whatever way: crash, power cut, Ctrl-C, full disk, or its own end.

    No acknowledged trial is shown again; the one that was cut off is. Of a session in a scanner the runs that
    were not completed are made, and those that --repeat names once more (--no-repeat takes that back). Before it
    goes on, the session is compared with what there is now, and what differs is said.

    For example:
    ```
    closedloop resume sessions/monkey_evolution_20261121-1000
    closedloop resume sessions/monkey_evolution_20261121-1000 --set limits.generations=40
    closedloop resume sessions/S1_faces_20261121-1000 --repeat 2
    ```
    """
    quiet_lsl()
    go_on(session, overrides or [], accept_changes, repeat or [], no_repeat or [])


def go_on(
    session: Path, overrides: list[str], accept_changes: bool, repeat: list[str], no_repeat: list[str]
) -> None:
    """Resume a session and say where it is; ``closedloop run --resume`` does the same."""
    from experiments.way_on import session_kind

    folder = folder_of(session)
    if session_kind(folder) == "scan":
        from experiments.scan_resume import resume_scan

        folder = resume_scan(
            folder, overrides=overrides, accept_changes=accept_changes, repeat=repeat, no_repeat=no_repeat
        )
    elif repeat or no_repeat:
        _refuse_repeat(session, "--repeat" if repeat else "--no-repeat")
    else:
        from experiments.resume import resume_session

        folder = resume_session(folder, overrides=overrides, accept_changes=accept_changes)
    out.print(f"session: {folder}", highlight=False, soft_wrap=True)


def _refuse_repeat(session: Path, option: str) -> NoReturn:
    from closedloop.errors import SessionError
    from closedloop.session import database

    # one that can't be read may be a scan session: what is wrong with it comes first
    database.check(session_folder(session) / database.FILE_NAME)
    raise SessionError(
        f"{session}: {option}",
        found="an evolution session",
        expected="a session in a scanner, which has runs to repeat",
        remedy=f"Leave {option} out. For further generations: --set limits.generations=NUMBER",
    )


def add_to(app: typer.Typer) -> None:
    """Register the command."""
    app.command()(resume)
