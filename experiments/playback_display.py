"""Shows how the playing of a recording goes: a live display in a terminal, a line now and then elsewhere."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from types import TracebackType
from typing import TYPE_CHECKING

from rich.console import Console, Group, RenderableType
from rich.live import Live
from rich.markup import escape
from rich.progress_bar import ProgressBar
from rich.table import Table
from rich.text import Text

from experiments.console import err
from experiments.progress import clock_time

if TYPE_CHECKING:
    from hardware.lsl.player_records import PlayStatus

HELP_LINE = "keys: space pause/go on · left, right arrow 5 s back, forward · q quit"
_LINE_EVERY_S = 10.0
_STYLES = {"playing": "green", "following": "green", "paused": "yellow", "waiting": "yellow"}
_WORDS = {"opening": "getting ready", "waiting": "waiting for a listener"}


class PlaybackDisplay:
    """The display; a context manager.

    Args:
        names: of the streams.
        speed: at which they are played.
        console: where to show it; in a terminal it is live, elsewhere plain lines.
        now: a clock in seconds, for the rhythm of the plain lines.
        help_line: which keys there are.
    """

    def __init__(
        self,
        names: Sequence[str],
        speed: float,
        console: Console = err,
        now: Callable[[], float] = time.monotonic,
        help_line: str = HELP_LINE,
    ) -> None:
        self._names, self._speed = names, speed
        self._console, self._now = console, now
        self._help_line = help_line
        self._status: PlayStatus | None = None
        self._next_line_s = float("-inf")
        self._live: Live | None = None

    def __enter__(self) -> PlaybackDisplay:
        if self._console.is_terminal:
            self._live = Live(get_renderable=self._render, console=self._console, auto_refresh=False)
            self._live.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._live is not None:
            self._live.stop()
            self._live = None

    def update(self, status: PlayStatus) -> None:
        """Show the newest status."""
        changed = self._status is None or status.state != self._status.state
        self._status = status
        if self._live is not None:
            self._live.refresh()
        elif changed or self._now() >= self._next_line_s:
            self._next_line_s = self._now() + _LINE_EVERY_S
            self._print_line(status)

    def _print_line(self, status: PlayStatus) -> None:
        text = plain_line(status, self._names, self._speed)
        self._console.print(text, highlight=False, soft_wrap=True, markup=False)

    def _render(self) -> RenderableType:
        status = self._status
        if status is None:
            return Text("getting ready ...")
        head = Table.grid(padding=(0, 1), expand=True)
        head.add_column(no_wrap=True)
        head.add_column(ratio=1)
        head.add_column(no_wrap=True)
        state = _WORDS.get(status.state, status.state)
        head.add_row(
            f"[{_STYLES.get(status.state, 'default')}]{state}[/]",
            ProgressBar(total=max(status.duration_s, 1e-9), completed=status.position_s),
            _place(status, self._speed),
        )
        streams = Table.grid(padding=(0, 2))
        for name, sent, heard in zip(self._names, status.sent, status.heard, strict=False):
            listeners = "[green]heard[/]" if heard else "[dim]nobody listens[/]"
            streams.add_row(f"  {escape(name)}", f"{sent} samples", listeners)
        return Group(head, streams, Text(self._help_line, style="dim"))


def plain_line(status: PlayStatus, names: Sequence[str], speed: float) -> str:
    """Return the status as one line of text."""
    sent = ", ".join(f"{name} {count}" for name, count in zip(names, status.sent, strict=False))
    parts = [_WORDS.get(status.state, status.state), _place(status, speed), f"sent: {sent or 'nothing'}"]
    if not any(status.heard) and status.state == "playing":
        parts.append("nobody listens")
    return " | ".join(parts)


def _place(status: PlayStatus, speed: float) -> str:
    passes = f", pass {status.passes + 1}" if status.passes else ""
    pace = "" if speed == 1 else f" at {speed:g} x"
    return f"{clock_time(status.position_s)} of {clock_time(status.duration_s)}{pace}{passes}"
