"""The one place where an error becomes words on the screen and an exit code."""

from __future__ import annotations

import platform
import sys
import tempfile
import time
import traceback
from collections.abc import Callable
from pathlib import Path

from platformdirs import user_log_path
from rich.markup import escape
from rich.table import Table

from closedloop.errors import ClosedLoopError
from experiments.console import err

UNEXPECTED = 1
INTERRUPTED = 130  # 128 + SIGINT, as shells have it


def exit_code_of(action: Callable[[], object]) -> int:
    """Run an action; tell the person what went wrong, if anything, and return the exit code.

    Args:
        action: what to run; it may end by SystemExit, as the argument parser does.

    Returns:
        0, the error's own ``exit_code``, 130 after Ctrl-C, or 1 for an error that nobody foresaw.
    """
    try:
        action()
    except SystemExit as end:
        if end.code == INTERRUPTED:  # the argument parser takes Ctrl-C for itself, and says nothing
            err.print("stopped by Ctrl-C")
        return end.code if isinstance(end.code, int) else int(end.code is not None)
    except ClosedLoopError as error:
        tell(error)
        return error.exit_code
    except KeyboardInterrupt:
        err.print("stopped by Ctrl-C")
        return INTERRUPTED
    except BrokenPipeError:
        # the reader has gone (`closedloop ... | head`); the interpreter must not try to flush at its end
        sys.stdout = None
        return 0
    except Exception as error:  # noqa: BLE001  # the last resort of the program: nothing is above this
        _apologise(error)
        return UNEXPECTED
    return 0


def tell(error: ClosedLoopError) -> None:
    """Print an error in plain words: where, what was found, what was expected, what to do."""
    grid = Table.grid(padding=(0, 1))
    grid.add_column(style="bold", no_wrap=True)
    grid.add_column(overflow="fold")
    for label, text in (
        ("found", error.found),
        ("expected", error.expected),
        ("what to do", error.remedy),
    ):
        grid.add_row(f"  {label}", escape(text))
    err.print(f"[bold red]error[/] {escape(error.where)}", highlight=False, soft_wrap=True)
    err.print(grid, highlight=False)


def _apologise(error: Exception) -> None:
    log = _write_traceback(error)
    what = "".join(traceback.format_exception_only(error)).strip()
    err.print(f"[bold red]sorry[/] this should not have happened: {escape(what)}", highlight=False)
    err.print(
        "  What a session had recorded until then is in its session file. To have this mended, report it "
        f"with this file:\n  {escape(str(log))}",
        highlight=False,
        soft_wrap=True,
    )


def _write_traceback(error: Exception) -> Path:
    name = f"closedloop-error-{time.strftime('%Y%m%d-%H%M%S')}-{time.monotonic_ns() % 10**6:06d}.txt"
    text = "\n".join(
        [
            f"command: {' '.join(sys.argv)}",
            f"python: {sys.version}",
            f"platform: {platform.platform()}",
            "",
            *traceback.format_exception(error),
        ]
    )
    for folder in (user_log_path("closedloop", appauthor=False), Path(tempfile.gettempdir())):
        try:
            folder.mkdir(parents=True, exist_ok=True)
            file = folder / name
            file.write_text(text, encoding="utf-8")
        except OSError:
            continue  # a home that can't be written: the next folder is tried
        return file
    err.print(text, markup=False, highlight=False)
    return Path("(no folder could be written; the traceback is above)")
