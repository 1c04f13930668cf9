"""Runs a simulated subject until it is asked to end, and hears commands meanwhile."""

from __future__ import annotations

import queue
import signal
import sys
import threading
import time
from collections.abc import Callable

import pylsl

from closedloop.errors import ClosedLoopError, NoDisplayError
from hardware.subject.faults import FaultSyntaxError, parse_fault
from hardware.subject.options import SubjectOptions
from hardware.subject.subject import Subject


def run_until_signalled(options: SubjectOptions) -> int:
    """Run the subject until SIGINT or SIGTERM; print an error in one line; return the exit code."""
    received: list[int] = []
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda which, _frame: received.append(which))
    try:
        run(options, lambda: bool(received))
    except ClosedLoopError as error:
        print(error, file=sys.stderr)  # noqa: T201 - a command's message
        return error.exit_code
    return 0


def run(options: SubjectOptions, stopped: Callable[[], bool] = lambda: False) -> None:
    """Run the subject until ``stopped()``, its time is over, it is told to quit, or the X server has gone.

    Prints ``ready SOURCE_ID`` once its stream is up.

    Raises:
        ClosedLoopError: it can't start; see ``Subject``.
    """
    commands = _commands() if options.commands else None
    subject = Subject(options)
    start_s = pylsl.local_clock()
    print(f"ready {options.source_id}", flush=True)  # noqa: T201 - the line that whoever starts us waits for
    try:
        while not (stopped() or subject.asked_to_quit):
            subject.step()
            if commands is not None:
                _obey(subject, commands)
            if options.seconds is not None and pylsl.local_clock() - start_s >= options.seconds:
                break
            time.sleep(1 / options.poll_hz)
    except NoDisplayError as error:
        print(f"simulated subject: {error}", file=sys.stderr)  # noqa: T201 - a command's message
    finally:
        subject.close()
    if not (subject.seen or subject.missed):
        where = f"display {options.display or '$DISPLAY'}, patch at pixel {options.patch_px}"
        print(f"simulated subject: no picture came on; it looked at {where}", file=sys.stderr)  # noqa: T201 - a command's message
    print(f"simulated subject: saw {subject.seen} pictures, missed {subject.missed}", file=sys.stderr)  # noqa: T201 - a command's message


def _commands() -> queue.SimpleQueue[str | None]:
    lines: queue.SimpleQueue[str | None] = queue.SimpleQueue()

    def read() -> None:
        for line in sys.stdin:
            lines.put(line.strip())
        lines.put(None)  # whoever gave the commands has gone, and hears no answer

    threading.Thread(target=read, name="commands", daemon=True).start()
    return lines


def _obey(subject: Subject, commands: queue.SimpleQueue[str | None]) -> None:
    while not commands.empty():
        line = commands.get_nowait()
        if line is None:
            subject.asked_to_quit = True
            return
        if not line:
            continue
        try:
            subject.apply(parse_fault(line))
            print(f"ok {line}", flush=True)  # noqa: T201 - the answer to a command
        except FaultSyntaxError as error:
            print(f"error {error}", flush=True)  # noqa: T201 - the answer to a command
