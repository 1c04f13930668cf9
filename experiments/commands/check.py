"""``closedloop check``: is this machine, is this rig fit for a session."""

from __future__ import annotations

from contextlib import ExitStack
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.markup import escape
from rich.table import Table

from experiments.console import err, out
from experiments.lsl_quiet import quiet_lsl

if TYPE_CHECKING:
    from collections.abc import Sequence

    from hardware.check import Finding

_STYLES = {"ok": "green", "bad": "red", "unknown": "yellow"}


def check(
    protocol: Annotated[
        Path | None,
        typer.Argument(
            metavar="[PROTOCOL]", help="Protocol file; without one only the machine is looked at."
        ),
    ] = None,
    overrides: Annotated[
        list[str] | None,
        typer.Option("--set", metavar="KEY=VALUE", help="Change one value of the protocol, as in `run`."),
    ] = None,
) -> None:
    """Measure display, clocks, LSL, disk, GPU and the protocol's stream, and say whether they are fit.

    Opens the stimulus window for some seconds. Ends with 9 if anything that a session requires is bad or
    could not be found out; a session would then be refused. What is only advised is marked so. All
    thresholds are in docs/check.md.

    For example:
    ```
    closedloop check
    closedloop check rig.yaml
    ```
    """
    quiet_lsl()
    findings = _measure(protocol, overrides or [])
    # imported late: pylsl reads its configuration when it is imported
    from hardware.check import require_good

    out.print(_table(findings))
    for finding in findings:
        if finding.verdict.value != "ok" and finding.remedy:
            out.print(f"{escape(finding.name)}: {escape(finding.remedy)}", highlight=False)
    require_good(findings)
    out.print("[green]fit for a session[/]")


def _measure(path: Path | None, overrides: list[str]) -> Sequence[Finding]:
    from closedloop.protocol.load import load_protocol, load_scan, protocol_kind
    from experiments.network import lsl_as_in, lsl_of_scan

    with ExitStack() as configured:
        if path is not None and protocol_kind(path) == "scan":
            scan = load_scan(path, overrides).protocol
            configured.enter_context(lsl_of_scan(scan))
            from experiments.scan_rig import check_scan_rig

            status = configured.enter_context(err.status("measuring the machine and the trigger ..."))
            return check_scan_rig(scan, lambda words: status.update(escape(words)))
        protocol = None
        if path is not None:
            protocol = load_protocol(path, overrides).protocol
            configured.enter_context(lsl_as_in(protocol.lsl))
        from hardware.check import run_checks

        status = configured.enter_context(err.status("measuring ..."))
        return run_checks(protocol, say=lambda name: status.update(f"measuring: {name} ..."))


def _table(findings: Sequence[Finding]) -> Table:
    table = Table()
    table.add_column("what")
    table.add_column("found", overflow="fold")
    table.add_column("verdict", no_wrap=True)
    table.add_column("expected", overflow="fold")
    for finding in findings:
        verdict = finding.verdict.value
        advice = "" if finding.required or verdict == "ok" else " (advice)"
        table.add_row(
            escape(finding.name),
            escape(finding.text),
            f"[{_STYLES[verdict]}]{verdict}[/]{advice}",
            escape(finding.expected),
        )
    return table


def add_to(app: typer.Typer) -> None:
    """Register the command."""
    app.command()(check)
