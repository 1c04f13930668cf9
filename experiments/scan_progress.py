"""Shows how a scan session goes: a live display in a terminal, a line now and then elsewhere."""

from __future__ import annotations

import time
from collections.abc import Callable
from types import TracebackType

from rich.console import Console, Group, RenderableType
from rich.live import Live
from rich.markup import escape
from rich.progress_bar import ProgressBar
from rich.table import Table
from rich.text import Text

from closedloop.scan.status import ScanState, ScanStatus
from experiments.console import err
from experiments.progress import clock_time

_LINE_EVERY_S = 10.0
_REFRESH_HZ = 4
_STATE_STYLES = {
    ScanState.ARMED: "bold yellow",
    ScanState.RUNNING: "bold green",
    ScanState.PAUSED: "bold yellow",
    ScanState.BETWEEN: "bold",
}


class ScanProgress:
    """The display of one scan session; a context manager.

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
        self._status: ScanStatus | None = None
        self._next_line_s = float("-inf")
        self._live: Live | None = None
        self._printed = ""

    def __enter__(self) -> ScanProgress:
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

    def update(self, status: ScanStatus) -> None:
        """Take the newest status; returns at once and may be called as often as one likes."""
        before, self._status = self._status, status
        changed = before is None or _worth_a_line(before) != _worth_a_line(status)
        if self._live is None and (changed or self._now() >= self._next_line_s):
            self._next_line_s = self._now() + _LINE_EVERY_S
            self._print_line(status)

    def _print_line(self, status: ScanStatus) -> None:
        line = plain_line(status)
        if line != self._printed:
            self._printed = line
            self._console.print(line, highlight=False, soft_wrap=True, markup=False)

    def _render(self) -> RenderableType:
        status = self._status
        if status is None:
            return Text("getting ready ...")
        head = Table.grid(padding=(0, 1), expand=True)
        head.add_column(no_wrap=True)
        head.add_column(ratio=1)
        head.add_column(no_wrap=True)
        head.add_row(
            f"[bold]run {escape(_run(status))}[/] [{_STATE_STYLES[status.state]}]{_state(status)}[/]",
            ProgressBar(total=max(status.volumes, 1), completed=status.volume),
            _time(status),
        )
        invalid = f"[{'red' if status.trials_invalid else 'green'}]{status.trials_invalid}[/]"
        missed = f"[{'red' if status.missed_frames else 'green'}]{status.missed_frames}[/]"
        lines = [
            f"volume {_volume(status)}   TR {_tr(status)}",
            f"trials {status.trials_shown}, {invalid} invalid   missed frames {missed}   {_answers(status)}",
            f"next {escape(status.next_event) or '-'}",
            f"last finding {escape(status.finding) or '-'}",
        ]
        if status.message:
            lines.append(f"[yellow]{escape(status.message)}[/]")
        if status.simulated:
            lines.append("[bold magenta]the scanner is SIMULATED[/]")
        body = [Text.from_markup(line) for line in lines]
        return Group(head, *body, Text(self._prompt(), style="dim"))


def plain_line(status: ScanStatus) -> str:
    """Return the status as one line of text."""
    parts = [
        f"run {_run(status)}",
        _state(status),
        f"volume {_volume(status)}",
        f"TR {_tr(status)}",
        f"trials {status.trials_shown} ({status.trials_invalid} invalid)",
        f"missed frames {status.missed_frames}",
        _answers(status),
        _time(status),
    ]
    if status.next_event:
        parts.append(f"next {status.next_event}")
    if status.message:
        parts.append(status.message)
    return " | ".join(["SIMULATED SCANNER", *parts] if status.simulated else parts)


def _worth_a_line(status: ScanStatus) -> tuple[object, ...]:
    return (status.label, status.attempt, status.state, status.message)


def _run(status: ScanStatus) -> str:
    again = f", attempt {status.attempt + 1}" if status.attempt else ""
    return f"{status.label} ({status.place} of {status.runs}{again})"


def _state(status: ScanStatus) -> str:
    if status.state is ScanState.ARMED and status.volume == 0 and status.dummies_left:
        return f"{status.state.value} ({status.dummies_left} dummies to come)"
    return status.state.value


def _volume(status: ScanStatus) -> str:
    return f"{status.volume} of {status.volumes}"


def _tr(status: ScanStatus) -> str:
    nominal = f"{status.tr_nominal_s:.4f} s nominal"
    if status.tr_s is None:
        return nominal
    percent = 100 * (status.tr_s / status.tr_nominal_s - 1)
    return f"{status.tr_s:.4f} s fitted, {nominal} ({percent:+.2f} %)"


def _answers(status: ScanStatus) -> str:
    given, wanted = status.answered
    return f"presses {status.presses}, answers {given} of {wanted}"


def _time(status: ScanStatus) -> str:
    if status.run_s is None:
        return f"{clock_time(status.duration_s)} to come"
    return f"{clock_time(min(status.run_s, status.duration_s))} of {clock_time(status.duration_s)}"
