"""The end of the stage's process: brought about, and put in words."""

from __future__ import annotations

import signal
from multiprocessing.context import SpawnProcess
from pathlib import Path

from hardware.stage.surroundings import OUTPUT_FILE

_PATIENCE_S = 2.0


def end_process(process: SpawnProcess) -> None:
    """Wait for a process that was asked to end (blocks briefly), and make it end if it does not."""
    process.join(_PATIENCE_S)
    if process.exitcode is None:
        process.terminate()
        process.join(_PATIENCE_S)
    if process.exitcode is None:
        process.kill()
        process.join()


def describe_end(process: SpawnProcess, scratch: Path | None) -> str:
    """Say how the process ended, with the last line that it printed."""
    code = process.exitcode
    if code is None:
        how = "the stage process closed its pipe without ending"
    elif code < 0:
        how = f"the stage process was ended by signal {_signal_name(-code)}"
    else:
        how = f"the stage process ended with exit code {code}"
    last = _last_line(scratch)
    return f"{how}; its last words: {last}" if last else how


def _signal_name(number: int) -> str:
    try:
        return signal.Signals(number).name
    except ValueError:
        return str(number)


def _last_line(scratch: Path | None) -> str:
    if scratch is None:
        return ""
    try:
        lines = (scratch / OUTPUT_FILE).read_text(errors="replace").splitlines()
    except OSError:
        return ""  # it ended before it printed anything
    return next((line.strip() for line in reversed(lines) if line.strip()), "")
