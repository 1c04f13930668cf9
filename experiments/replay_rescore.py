"""Scores a recorded session again for a person: ``closedloop replay SESSION --rescore``."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from rich.markup import escape
from rich.table import Table

from closedloop.replay.recorded import read_recorded
from closedloop.replay.rescoring import Rescored, rescore, with_settings, write_page
from closedloop.replay.rescoring.page import FILE_NAME, rows, sentences
from closedloop.session import SessionReader
from closedloop.session.soundness import damage_told
from experiments.console import err, out

# The page's columns for a narrow terminal: recorded and rescored means, then agreement.
SHORT = ("gen.", "mean", "now", "ref.", "now", "rank", "parents", "best", "none")


def rescore_session(session: Path, settings: Sequence[str], page: Path | None = None) -> Rescored:
    """Score a session again, print the table, and write the page.

    Args:
        session: its folder, or its session file.
        settings: what to change, each ``key=value``; none gives the recorded scores.
        page: where to write the page; ``rescore.html`` in the session's folder if None.

    Raises:
        ProtocolError: a setting that is unknown or wrong.
        SessionError: the file can't be read, or is of a scanner session.
        DiskError: the page can't be written.
    """
    with damage_told(session), SessionReader(session) as reader, reader.snapshot():
        recorded = read_recorded(reader)
        protocol = with_settings(recorded.protocol, settings)
        with err.status("measuring responses ...") as status:
            rescored = rescore(
                recorded,
                protocol,
                settings,
                lambda share: status.update(f"measuring responses ... {100 * share:.0f} %"),
            )
        written = write_page(rescored, page or reader.folder / FILE_NAME)
    for thread in rescored.threads:
        table = Table(
            title=f"{thread.name}, mean responses in {protocol.response.unit}", title_justify="left"
        )
        for column in SHORT:
            table.add_column(column, justify="right", no_wrap=True)
        for row in rows(thread):
            table.add_row(*map(escape, row))
        out.print(table)
    for sentence in sentences(rescored):
        out.print(escape(sentence), highlight=False, soft_wrap=True)
    out.print(f"page: {written}", highlight=False, soft_wrap=True)
    return rescored
