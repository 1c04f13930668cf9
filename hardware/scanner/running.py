"""Runs the simulated scanner from its first word to its last."""

from __future__ import annotations

import os
import queue
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import pylsl

from hardware.scanner.keyboard import KeyboardOutput
from hardware.scanner.marker_stream import MarkerStreamOutput
from hardware.scanner.options import ScannerOptions
from hardware.scanner.output import Output, Sent
from hardware.scanner.playing import play
from hardware.scanner.pseudo_serial import PseudoSerialOutput
from hardware.scanner.record import Record
from hardware.scanner.timetable import Deed, timetable
from hardware.stage.pacing import REALTIME_SPIN_S, SPIN_S
from hardware.stage.priority import raise_priority

_STEP_S = 0.05
_LEAST_LEAD_S = 0.02  # what is due before the run's nominal start still needs a start before it


def output_for(options: ScannerOptions) -> Output:
    """Return the path that the options ask for, not open yet."""
    if options.path == "keyboard":
        return KeyboardOutput(options.key, options.display)
    if options.path == "serial":
        return PseudoSerialOutput(options.byte, options.link)
    return MarkerStreamOutput(
        options.stream,
        options.source_id,
        options.marker,
        options.numeric,
        options.wait_listener_s,
        options.stream_type,
    )


def run(options: ScannerOptions, stopped: Callable[[], bool] = lambda: False) -> Record:
    """Play all runs, or until ``stopped()``.

    Prints ``ready WHERE`` once pulses could be heard, and after each run what was sent; without a file for the
    stamps also each stamp.

    Raises:
        TriggerError: the path can't be had here, or went away.
    """
    output = output_for(options)
    lines = _lines() if options.wait_for_line else None
    with Record(options.out) as record, _hurried() as spin_s:
        where = output.open()
        try:
            _say(f"ready {where}")
            if isinstance(output, MarkerStreamOutput):
                output.await_listener(stopped)
            for number in range(1, options.runs + 1):
                own = options.of_run(number)
                if (
                    options.volumes_of_runs
                ):  # whoever starts it must know which run of the session is to be armed
                    _say(f"run {number} is next: {own.volumes} volumes")
                if not _may_begin(options, number, lines, stopped):
                    break
                _one_run(own, number, output, record, spin_s, stopped)
            output.stay(stopped)
        finally:
            output.close()
    return record


def _one_run(
    options: ScannerOptions,
    number: int,
    output: Output,
    record: Record,
    spin_s: float,
    stopped: Callable[[], bool],
) -> None:
    deeds = timetable(options, number)
    earliest_s = deeds[0].time_s if deeds else 0.0
    begin_s = pylsl.local_clock() + max(options.start_after_s, _LEAST_LEAD_S - earliest_s)
    sent_before = len(record.rows)

    def note(deed: Deed, due_s: float, sent: Sent) -> None:
        record.add(number, deed, due_s, sent)
        if options.out is None:
            what = (
                f"press {deed.key}"
                if deed.key
                else f"{deed.kind} {'' if deed.volume is None else deed.volume}"
            )
            _say(f"{sent.before_s:.6f} {what.strip()}")

    whole = play(deeds, begin_s, output, note, spin_s=spin_s, stopped=stopped)
    rows = record.rows[sent_before:]
    presses = sum(row[1] == "press" for row in rows)
    late_ms = max((1000 * (row[5] - row[4]) for row in rows), default=0.0)
    _say(
        f"run {number}: sent {len(rows) - presses} pulses and {presses} presses, at most {late_ms:.3f} ms late"
        + ("" if whole else "; stopped")
    )


def _may_begin(
    options: ScannerOptions,
    number: int,
    lines: queue.SimpleQueue[str | None] | None,
    stopped: Callable[[], bool],
) -> bool:
    """Wait for the line that begins a run, or for the time between two; False if there is to be none."""
    until_s = time.monotonic() + (options.between_s if number > 1 else 0.0)
    while not stopped():
        if lines is None:
            if time.monotonic() >= until_s:
                return True
            time.sleep(min(_STEP_S, max(0.0, until_s - time.monotonic())))
            continue
        try:
            return lines.get(timeout=_STEP_S) is not None
        except queue.Empty:
            continue
    return False


def _lines() -> queue.SimpleQueue[str | None]:
    lines: queue.SimpleQueue[str | None] = queue.SimpleQueue()

    def read() -> None:
        for line in sys.stdin:
            lines.put(line)
        lines.put(None)  # whoever gave the lines has gone

    threading.Thread(target=read, name="scanner-lines", daemon=True).start()
    return lines


@contextmanager
def _hurried() -> Iterator[float]:
    """Have real-time priority, if it is granted, for a time; yields how long before a deed sleeping must end."""
    if not sys.platform.startswith("linux"):
        yield SPIN_S
        return
    realtime = raise_priority().realtime
    try:
        yield REALTIME_SPIN_S if realtime else SPIN_S
    finally:
        if realtime:
            os.sched_setscheduler(0, os.SCHED_OTHER, os.sched_param(0))


def _say(line: str) -> None:
    print(line, flush=True)  # noqa: T201 - what whoever starts it waits for
