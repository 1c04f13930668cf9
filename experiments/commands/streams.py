"""``closedloop streams``: what LSL streams there are."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, NoReturn

import typer
from rich.live import Live
from rich.markup import escape
from rich.table import Table
from rich.text import Text

from closedloop.errors import StreamNotFoundError
from experiments.console import out
from experiments.lsl_quiet import quiet_lsl

if TYPE_CHECKING:
    from hardware.lsl.discover import StreamReport

_OLD_S = 0.5


def streams(
    protocol: Annotated[
        Path | None,
        typer.Argument(metavar="[PROTOCOL]", help="Look with this protocol's LSL session id and scope."),
    ] = None,
    wait_s: Annotated[float, typer.Option("--wait", min=0.1, help="How long to look, in seconds.")] = 2.0,
    watch: Annotated[bool, typer.Option("--watch", help="Look again and again, until Ctrl-C.")] = False,
) -> None:
    """Show the LSL streams that are there: kind, rate, channels, clock offset, age of the newest sample.

    The kind is a guess from a stream's form; the protocol decides what its samples mean. The clock offset
    is what has to be added to its stamps, with its uncertainty. Ends with 5 if there is no stream.

    For example:
    ```
    closedloop streams
    closedloop streams --watch
    closedloop streams rig.yaml
    ```
    """
    quiet_lsl()
    with ExitStack() as configured:
        if protocol is not None:
            from closedloop.protocol.load import load_by_kind
            from experiments.network import lsl_as_in

            configured.enter_context(lsl_as_in(load_by_kind(protocol).protocol.lsl))
        # imported late: pylsl reads its configuration when it is imported
        from hardware.lsl.discover import list_streams

        if watch:
            _watch(lambda: _table(list_streams(wait_s)))
        found = list_streams(wait_s)
    if not found:
        raise StreamNotFoundError(
            "LSL",
            found=f"no stream within {wait_s:g} s",
            expected="at least the recording system's stream",
            remedy="Start the sender; let it use the same network and the same LSL session id (LSLAPICFG), "
            "and let the firewall pass UDP and TCP ports 16571 to 16604.",
        )
    out.print(_table(found))


def _watch(look: Callable[[], Table]) -> NoReturn:
    if not out.is_terminal:
        while True:
            out.print(look())
    with Live(Text("looking ..."), console=out, auto_refresh=False) as live:
        while True:
            live.update(look(), refresh=True)


def _table(reports: Sequence[StreamReport]) -> Table:
    table = Table(title=f"{len(reports)} LSL stream{'' if len(reports) == 1 else 's'}", title_justify="left")
    for column in ("name", "type", "kind?", "rate", "channels", "source id", "host"):
        table.add_column(column, overflow="fold")
    table.add_column("clock offset", justify="right")
    table.add_column("sample age", justify="right")
    for report in sorted(reports, key=lambda report: (report.info.name, report.info.source_id)):
        info = report.info
        table.add_row(
            escape(info.name),
            escape(info.type),
            info.kind,
            f"{info.nominal_hz:g} Hz" if info.nominal_hz > 0 else "irregular",
            f"{info.channels} {info.dtype}",
            escape(info.source_id),
            escape(info.hostname),
            _offset(report),
            _age(report.age_s),
        )
    return table


def _offset(report: StreamReport) -> str:
    if report.clock_offset_s is None or report.clock_uncertainty_s is None:
        return "[red]no answer[/]"
    return f"{report.clock_offset_s * 1e3:.2f} ± {report.clock_uncertainty_s * 1e3:.2f} ms"


def _age(age_s: float | None) -> str:
    if age_s is None:
        return "[yellow]no sample[/]"
    return f"[{'yellow' if age_s > _OLD_S else 'green'}]{age_s * 1e3:.0f} ms[/]"


def add_to(app: typer.Typer) -> None:
    """Register the command."""
    app.command()(streams)
