"""Shows how a session goes: a live display in a terminal, a line now and then elsewhere."""

from __future__ import annotations

import math
import time
from collections.abc import Callable
from types import TracebackType

from rich.console import Console, Group, RenderableType
from rich.live import Live
from rich.markup import escape
from rich.progress_bar import ProgressBar
from rich.table import Table
from rich.text import Text

from closedloop.loop.status import Status
from closedloop.sparkline import sparklines
from experiments.console import err

_LINE_EVERY_S = 10.0
_REFRESH_HZ = 4
_WIDEST_CURVE = 20
_STATE_STYLES = {"live": "green", "late": "yellow", "recovering": "yellow", "lost": "bold red"}


class Progress:
    """The display of one session; a context manager.

    Args:
        console: where to show it; in a terminal it is live, elsewhere plain lines.
        prompt: returns the line about the keys, which changes while a note is written.
        now: a clock in seconds, for the rhythm of the plain lines.
    """

    def __init__(
        self,
        console: Console = err,
        prompt: Callable[[], str] = lambda: "",
        now: Callable[[], float] = time.monotonic,
    ) -> None:
        self._console = console
        self._prompt = prompt
        self._now = now
        self._status: Status | None = None
        self._next_line_s = float("-inf")
        self._live: Live | None = None

    def __enter__(self) -> Progress:
        if self._console.is_terminal and not self._console.is_dumb_terminal:
            self._live = Live(
                get_renderable=self._render,
                console=self._console,
                refresh_per_second=_REFRESH_HZ,
                redirect_stdout=False,
            )
            self._live.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._live is not None:
            self._live.stop()
            self._live = None
        elif self._status is not None:
            self._print_line(self._status)  # how it ended is worth a line

    def update(self, status: Status) -> None:
        """Take the newest status; returns at once and may be called as often as one likes."""
        changed = self._status is not None and (
            (status.stream_state, status.paused) != (self._status.stream_state, self._status.paused)
        )
        self._status = status
        if self._live is None and (changed or self._now() >= self._next_line_s):
            self._next_line_s = self._now() + _LINE_EVERY_S
            self._print_line(status)

    def _print_line(self, status: Status) -> None:
        self._console.print(plain_line(status), highlight=False, soft_wrap=True, markup=False)

    def _render(self) -> RenderableType:
        status = self._status
        if status is None:
            return Text("getting ready ...")
        head = Table.grid(padding=(0, 1), expand=True)
        head.add_column(no_wrap=True)
        head.add_column(ratio=1)
        head.add_column(no_wrap=True)
        head.add_row(
            f"[bold]generation {_generation(status)}[/]",
            ProgressBar(total=1.0, completed=_share(status)),
            f"{clock_time(status.elapsed_s)} gone, {_remaining(status)}",
        )
        state = (
            f"[{_STATE_STYLES.get(status.stream_state, 'default')}]{escape(status.stream_state or '-')}[/]"
        )
        missed = f"[{'red' if status.missed_frames else 'green'}]{status.missed_frames}[/]"
        evolved, reference = ("", "") if self._console.options.ascii_only else _curves(status)
        lines = [
            f"trials {status.trials_done}, {status.trials_invalid} invalid, "
            f"{status.trials_left_in_generation} to go in this generation",
            f"mean score {_score(status.mean_score)} evolved{evolved}, "
            f"{_score(status.reference_score)} reference{reference}",
            f"stream {state}   missed frames {missed}",
        ]
        if status.paused or status.message:
            lines.append(f"[yellow]{escape(_note(status))}[/]")
        body = [Text.from_markup(line) for line in lines]
        return Group(head, *body, Text(self._prompt(), style="dim"))


def plain_line(status: Status) -> str:
    """Return the status as one line of text."""
    parts = [
        f"generation {_generation(status)}",
        f"trials {status.trials_done} ({status.trials_invalid} invalid)",
        f"score {_score(status.mean_score)} evolved, {_score(status.reference_score)} reference",
        f"stream {status.stream_state or '-'}",
        f"missed frames {status.missed_frames}",
        f"{clock_time(status.elapsed_s)} gone, {_remaining(status)}",
    ]
    note = _note(status)
    return " | ".join([*parts, note] if note else parts)


def clock_time(seconds: float) -> str:
    """Return a duration as minutes and seconds, with hours when there are any."""
    minutes, rest = divmod(round(max(seconds, 0.0)), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02d}:{rest:02d}" if hours else f"{minutes}:{rest:02d}"


def _generation(status: Status) -> str:
    return f"{min(status.generation + 1, status.generations)}/{status.generations}"


def _share(status: Status) -> float:
    if status.remaining_s is not None and status.elapsed_s + status.remaining_s > 0:
        return status.elapsed_s / (status.elapsed_s + status.remaining_s)
    return min(status.generation / max(status.generations, 1), 1.0)


def _remaining(status: Status) -> str:
    return "time left unknown" if status.remaining_s is None else f"{clock_time(status.remaining_s)} left"


def _score(score: float | None) -> str:
    return "-" if score is None else f"{score:.1f}"


def _curves(status: Status) -> list[str]:
    """Return both curves on one scale, each with a space before it; nothing before there is a curve."""
    curves = sparklines([status.evolved_curve, status.reference_curve], _WIDEST_CURVE)
    known = any(math.isfinite(score) for score in status.reference_curve)
    return [
        f" {row}" if len(row) > 1 and shown else "" for row, shown in zip(curves, (True, known), strict=True)
    ]


def _note(status: Status) -> str:
    return status.message or ("paused" if status.paused else "")
