"""What is made of a session when it has ended, in whatever way."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from closedloop.exports import export_bids, export_session
from closedloop.protocol.models import Output
from closedloop.protocol.sections.scan_runs import ScanOutput
from closedloop.report import write_report


def write_outputs(folder: Path, wanted: Output, say: Callable[[str], None]) -> None:
    """Write tables, images and report of a session, as far as the protocol wants them.

    Args:
        folder: of the session.
        wanted: section of the protocol.
        say: tells the person at the rig what became of files that are not the program's.
    """
    # the report first: what stands in the way of an export must not keep the person from seeing how it went
    if wanted.report:
        write_report(folder)
    if wanted.tables or wanted.images:
        export_session(folder, tables=wanted.tables, images=wanted.images)
    if isinstance(wanted, ScanOutput) and wanted.bids:
        export_bids(folder, say=say)
