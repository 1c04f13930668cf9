"""``closedloop models``: the model files that generators and the simulated subject need."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Annotated

import typer
from rich.markup import escape
from rich.table import Table

from experiments.console import err, out

if TYPE_CHECKING:
    from closedloop.models import OnProgress, Progress

models = typer.Typer(
    name="models",
    help="List the model files, or fetch them. They are checked by SHA-256 and never fetched twice.",
    no_args_is_help=True,
)

_STYLES = {"ready": "green", "missing": "yellow", "damaged": "red"}
_LINE_EVERY_S = 2.0


@models.command("list")
def list_() -> None:
    """List the models that are known, whether they are here, and what they may be used for.

    For example:
    ```
    closedloop models list
    ```
    """
    from closedloop.models import list_models, models_folder, status

    err.print(f"model folder: {models_folder()}", highlight=False, soft_wrap=True)
    for entry in list_models():
        state = status(entry).value
        out.print(f"\n[bold]{entry.id}[/] [{_STYLES[state]}]{state}[/]", highlight=False)
        grid = Table.grid(padding=(0, 1))
        grid.add_column(style="dim", no_wrap=True)
        grid.add_column(overflow="fold")
        for label, text in (
            ("  what", entry.title),
            ("  kind", entry.kind),
            ("  licence", entry.licence),
            ("  use", entry.use),
            ("  size", f"{entry.size_bytes / 1e6:.1f} MB"),
            ("  source", entry.source.label),
        ):
            grid.add_row(label, escape(text))
        out.print(grid, highlight=False)


@models.command()
def fetch(
    ids: Annotated[
        list[str] | None, typer.Argument(metavar="[ID]...", help="Models to fetch; none: all that can be.")
    ] = None,
) -> None:
    """Fetch model files that are not here yet, and check the ones that are.

    For example:
    ```
    closedloop models fetch
    closedloop models fetch dcgan-faces
    ```
    """
    from closedloop.models import FileSource, ModelStatus, list_models, status
    from closedloop.models import fetch as fetch_model

    known = {entry.id: entry for entry in list_models()}
    chosen = ids or [key for key, entry in known.items() if not isinstance(entry.source, FileSource)]
    for model_id in chosen:
        if model_id in known and status(known[model_id]) is ModelStatus.READY:
            err.print(f"model {model_id}: here and whole", highlight=False)
            continue
        start = time.monotonic()
        with _progress_shown(model_id) as on_progress:
            file = fetch_model(model_id, on_progress)
        err.print(
            f"model {model_id}: fetched in {time.monotonic() - start:.0f} s to {file}",
            highlight=False,
            soft_wrap=True,
        )


@contextmanager
def _progress_shown(model_id: str) -> Iterator[OnProgress]:
    """Show the bytes as they come: a bar in a terminal, now and then a line elsewhere."""
    if not err.is_terminal:
        yield _PlainLines()
        return
    from rich.progress import BarColumn, DownloadColumn, Progress, TextColumn, TransferSpeedColumn

    columns = (TextColumn("{task.description}"), BarColumn(), DownloadColumn(), TransferSpeedColumn())
    with Progress(*columns, console=err, transient=True) as bar:
        task = bar.add_task(f"model {model_id}", total=None)

        def show(progress: object) -> None:
            bar.update(
                task,
                completed=progress.done_bytes,  # type: ignore[attr-defined]  # name clash of two Progress
                total=progress.total_bytes,  # type: ignore[attr-defined]  # as above
            )

        yield show


class _PlainLines:
    """Prints how far a download is, at most every two seconds."""

    def __init__(self) -> None:
        self._next_s = 0.0

    def __call__(self, progress: Progress) -> None:
        now = time.monotonic()
        if progress.step == "done" or now < self._next_s:
            return
        self._next_s = now + _LINE_EVERY_S
        total = f" of {progress.total_bytes / 1e6:.1f}" if progress.total_bytes else ""
        err.print(
            f"model {progress.model}: {progress.step} {progress.done_bytes / 1e6:.1f}{total} MB",
            highlight=False,
        )


def add_to(app: typer.Typer) -> None:
    """Register the commands."""
    app.add_typer(models)
