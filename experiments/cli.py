"""The command ``closedloop``: joins the commands, and turns errors into words and exit codes."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from importlib.metadata import version
from typing import Annotated

import typer

from experiments.commands import check, info, models, replay, resume, run, sessions, simulate, streams
from experiments.console import out
from experiments.failures import exit_code_of

_HELP = """Closed-loop experiments: a neuron chooses its own stimulus.

Pictures are shown, a recording system says over LSL how strongly the neurons fired, and better pictures
are bred until the neurons stop preferring them more. A protocol file (YAML) says what is to be done;
protocols/ holds commented ones to start from.

A first try, without any hardware:

```
closedloop demo
```

At a rig, in this order:

```
closedloop streams                   # is the recording system heard?
closedloop run rig.yaml --dry-run    # is the protocol sound?
closedloop check rig.yaml            # are display, clocks, disk, stream fit?
closedloop run rig.yaml              # the session, with report.html
```

Exit codes: 0 done, 1 unexpected error, 2 wrong command line, 3 protocol, 4 model file, 5 stream, 6 display,
7 session file, 8 disk, 9 check not passed, 10 a process died, 11 replay not equal, 12 trigger, 13 scan run, 130 stopped by the
person; docs/exit-codes.md tells more.
"""

app = typer.Typer(
    name="closedloop",
    help=_HELP,
    no_args_is_help=True,
    rich_markup_mode="markdown",
    add_completion=False,
    pretty_exceptions_enable=False,  # experiments.failures does that, in plain words
    context_settings={"help_option_names": ["-h", "--help"]},
)


def _show_version(wanted: bool) -> None:
    if wanted:
        out.print(f"closedloop {version('closedloop')}", highlight=False)
        raise typer.Exit


@app.callback()
def _options(
    show_version: Annotated[
        bool, typer.Option("--version", callback=_show_version, is_eager=True, help="Show the version.")
    ] = False,
) -> None:
    del show_version  # its callback has done everything


for _group in (run, resume, check, sessions, info, replay, models, streams, simulate):
    _group.add_to(app)


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command line.

    Args:
        arguments: without the program's name; None takes them from the shell.

    Returns:
        The exit code; docs/exit-codes.md lists them.
    """
    words = list(sys.argv[1:] if arguments is None else arguments)
    return exit_code_of(lambda: app(words, prog_name="closedloop"))


if __name__ == "__main__":
    sys.exit(main())
