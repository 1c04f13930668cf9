"""Verifies a recorded scanner session for a person: ``closedloop replay SESSION --verify``."""

from __future__ import annotations

from rich.markup import escape
from rich.table import Table

from closedloop.errors import VerificationError
from closedloop.replay.scan_verification import (
    ScanCheck,
    ScanVerification,
    draw_again,
    stimuli_again,
    verify_scans,
)
from closedloop.scan.recorded import scan_protocol_of
from closedloop.session import SessionReader, amendments
from experiments.console import err, out

SHOWN = 20


def verify_scan_session(reader: SessionReader) -> ScanVerification:
    """Verify a session, print what was compared, and say whether all is equal.

    Args:
        reader: of the session.

    Raises:
        VerificationError: something differs; it names the first difference.
        SessionError: the file can't be read.
        ModelError: the weights that the session was run with are not here.
    """
    protocol = scan_protocol_of(reader)
    notes = _changed_runs(reader)
    with err.status("drawing and rendering again ..."):
        again = stimuli_again(reader, protocol)
        plans, undrawn = draw_again(reader, again)
        found = verify_scans(reader, protocol, again.stimuli, plans)
    notes += [*again.notes, *undrawn]
    found.notes[:0] = notes
    _show(reader.folder.resolve().name, found)
    first = found.first
    if first is not None:
        more = len(found.differences) - 1
        raise VerificationError(
            f"{reader.path}: {first.place}",
            found=f"{first.what}: {first.detail}" + (f" ({more} further differences)" if more else ""),
            expected="what seed, protocol, recorded pulses and flips give",
            remedy="If the file was not changed by hand, please report this with the session file.",
        )
    return found


def _changed_runs(reader: SessionReader) -> list[str]:
    meta = reader.meta()
    return [
        f"Run {run} of the program went on with changes to the protocol: what it made is compared with the protocol"
        " as changed, what was made before with the protocol as it was."
        for run in reader.table("runs")["run"].tolist()
        if amendments.key_of_run(amendments.JSON, run) in meta
    ]


def _show(name: str, found: ScanVerification) -> None:
    table = Table(title=f"{name}, verified", title_justify="left")
    table.add_column("what")
    table.add_column("compared", justify="right")
    table.add_column("different", justify="right")
    for check in ScanCheck:
        unlike = len(found.of(check))
        table.add_row(
            check.label,
            f"{found.compared[check]:,}",
            f"[red]{unlike:,}[/]" if unlike else "[green]0[/]",
        )
    out.print(table)
    for sentence in sentences(found):
        out.print(escape(sentence), highlight=False, soft_wrap=True)
    for one in sorted(found.differences, key=lambda one: one.order)[:SHOWN]:
        out.print(f"[red]different[/] {escape(str(one))}", highlight=False, soft_wrap=True)
    left = len(found.differences) - SHOWN
    if left > 0:
        out.print(f"... and {left:,} more", highlight=False)


def sentences(found: ScanVerification) -> list[str]:
    """Return what came of a verification, in words."""
    words = list(found.notes)
    if found.rounded:
        words.append(
            f"{found.rounded:,} images differ by 1/255 at most: that is rounding, as another device's"
            " arithmetic gives, and no difference."
        )
    words.append(
        "All is equal: the session follows from its seed, its protocol and what was heard."
        if found.first is None
        else f"Not equal. The first difference: {found.first}."
    )
    return words
