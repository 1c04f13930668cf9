"""``closedloop run`` and ``closedloop demo``: whole sessions."""

from __future__ import annotations

from enum import Enum
from pathlib import Path
from typing import Annotated

import typer

from experiments.commands.resume import Accept, NoRepeat, Repeat, go_on
from experiments.commands.sessions import folder_of
from experiments.console import out
from experiments.lsl_quiet import quiet_lsl

Protocol = Annotated[Path | None, typer.Argument(help="Protocol file (YAML).", metavar="PROTOCOL")]
Resume = Annotated[
    Path | None,
    typer.Option(
        "--resume", metavar="SESSION", help="Go on with this session, exactly as if it had not ended."
    ),
]
Out = Annotated[
    Path | None,
    typer.Option("--out", help="Make the session folder in here, instead of the protocol's output.folder."),
]
Set = Annotated[
    list[str] | None,
    typer.Option(
        "--set",
        metavar="KEY=VALUE",
        help="Change one value of the protocol for this run; may be given several times. "
        "Keys are joined by dots, places in a list are numbers: threads.0.size_deg=2.",
    ),
]


def run(
    protocol: Protocol = None,
    out_folder: Out = None,
    overrides: Set = None,
    resume: Resume = None,
    accept_changes: Accept = False,
    repeat: Repeat = None,
    no_repeat: NoRepeat = None,
    dry_run: Annotated[
        bool,
        typer.Option("--dry-run", help="Check the protocol and say what would be done; open nothing."),
    ] = False,
) -> None:
    """Run the session that a protocol describes.

    While it runs, these keys are heard in the terminal and in the stimulus window: p pauses and resumes,
    e ends after this generation (in the scanner: this run), a (twice) aborts, n writes a note. In the scanner
    also g, which arms the next run, and r, which repeats the last one. Ctrl-C ends the session cleanly too.

    For example:
    ```
    closedloop run protocols/demo.yaml
    closedloop run rig.yaml --out /data/monkey --set seed=7 --set limits.generations=20
    closedloop run rig.yaml --dry-run
    closedloop run protocols/scanner_demo.yaml
    closedloop run --resume /data/monkey/george_evolution_20261121-1000
    ```
    """
    quiet_lsl()
    if resume is not None:
        if protocol is not None or out_folder is not None or dry_run:
            raise typer.BadParameter("--resume takes protocol and folder from the session; give neither.")
        go_on(resume, overrides or [], accept_changes, repeat or [], no_repeat or [])
        return
    if repeat or no_repeat:
        option = "--repeat" if repeat else "--no-repeat"
        raise typer.BadParameter(f"{option} is for a session that there is: give --resume SESSION, too.")
    if protocol is None:
        raise typer.BadParameter("which protocol? Give a PROTOCOL file, or --resume SESSION.")
    from closedloop.protocol.load import protocol_kind

    if protocol_kind(protocol) == "scan":
        from experiments import scanner

        check, start = scanner.dry_run, scanner.run_scan
    else:
        from experiments import evolution

        check, start = evolution.dry_run, evolution.run_evolution
    if dry_run:
        check(protocol, overrides or [])
        return
    folder = start(protocol, out=out_folder, overrides=overrides or [])
    out.print(f"session: {folder}", highlight=False, soft_wrap=True)


class Control(str, Enum):
    """Deliberately wrong conditions, in which nothing must evolve."""

    SHUFFLED = "shuffled"


def demo(
    out_folder: Out = None,
    overrides: Set = None,
    control: Annotated[
        Control | None,
        typer.Option(
            help="A control: shuffled shows other pictures than the search believes, so nothing must evolve."
        ),
    ] = None,
    resume: Resume = None,
    accept_changes: Accept = False,
) -> None:
    """Run a whole session on a simulated rig: no hardware, no screen needed.

    Without a screen it brings up a virtual display. A simulated subject looks at the window and sends its
    spikes over LSL, as a recording system would. A few minutes; the session folder holds report.html.

    For example:
    ```
    closedloop demo
    closedloop demo --set seed=3 --out /tmp/sessions
    closedloop demo --control shuffled
    closedloop demo --resume sessions/demo_evolution_20261121-1000
    ```
    """
    from experiments.demo import resume_demo, run_demo

    if resume is not None:
        if out_folder is not None or control is not None:
            raise typer.BadParameter("--resume takes folder and control from the session; give neither.")
        # one that was cut off before it had a session file begins anew
        resume_demo(folder_of(resume), overrides=overrides or [], accept_changes=accept_changes)
        out.print(f"session: {resume}", highlight=False, soft_wrap=True)
        return
    folder = run_demo(out=out_folder, overrides=overrides or [], control=control.value if control else None)
    out.print(f"session: {folder}", highlight=False, soft_wrap=True)


def add_to(app: typer.Typer) -> None:
    """Register the commands."""
    app.command()(run)
    app.command()(demo)
