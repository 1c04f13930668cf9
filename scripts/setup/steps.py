"""Runs the steps of the set-up: a quiet line for each, its time, and the log when one fails."""

from __future__ import annotations

import contextlib
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from pathlib import Path


class SetupError(Exception):
    """The set-up can't go on; the text says what to do."""


def say(text: str) -> None:
    """Print a line at once, also when the output is a pipe."""
    sys.stdout.write(f"set-up: {text}\n")
    sys.stdout.flush()


@contextlib.contextmanager
def step(name: str) -> Iterator[None]:
    """Announce a step, and how long it took once it is done."""
    say(f"{name} ...")
    start = time.monotonic()
    yield
    say(f"{name}: done in {time.monotonic() - start:.0f} s")


def run_logged(command: Sequence[str], log: Path) -> None:
    """Run a command with its output in a log file.

    Args:
        command: argument list.
        log: file that the output is appended to.

    Raises:
        SetupError: it failed; with the end of its output.
    """
    log.parent.mkdir(parents=True, exist_ok=True)
    with log.open("ab") as output:
        begin = output.tell()
        done = subprocess.run(
            command, stdin=subprocess.DEVNULL, stdout=output, stderr=subprocess.STDOUT, check=False
        )
    if done.returncode != 0:
        tail = log.read_bytes()[begin:].decode(errors="replace").splitlines()[-15:]
        raise SetupError(
            "\n".join(
                [
                    f"this failed with status {done.returncode}: {' '.join(command)}",
                    *tail,
                    f"Whole log: {log}",
                ]
            )
        )
