"""Keeps the stage's process to itself: its output, its files, and Ctrl-C."""

from __future__ import annotations

import contextlib
import faulthandler
import os
import signal
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

from hardware.stage.messages import StageSettings

OUTPUT_FILE = "output.txt"
"""In the scratch folder: what the process and its libraries print."""

_WARNINGS_FILE = "psychopy.log"


@contextlib.contextmanager
def psychopy_home(settings: StageSettings) -> Iterator[None]:
    """Let PsychoPy write its folders into the scratch folder, unless its named monitors are needed."""
    name = "APPDATA" if sys.platform == "win32" else "HOME"
    former = os.environ.get(name)
    if settings.display.monitor:
        yield
        return
    os.environ[name] = settings.scratch
    try:
        yield
    finally:
        if former is None:
            del os.environ[name]
        else:
            os.environ[name] = former


def obey_only_the_engine() -> None:
    """Ignore Ctrl-C and a closed terminal."""
    # they reach every process of the terminal's group; the engine decides what they mean
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    if hasattr(signal, "SIGHUP"):
        signal.signal(signal.SIGHUP, signal.SIG_IGN)
    if hasattr(signal, "pthread_sigmask"):
        signal.pthread_sigmask(signal.SIG_UNBLOCK, {signal.SIGINT, signal.SIGHUP})  # see launch.py


def redirect_output(scratch: Path) -> None:
    """What PsychoPy, GL or audio libraries print belongs into a file, not on the person's terminal."""
    descriptor = os.open(scratch / OUTPUT_FILE, os.O_WRONLY | os.O_CREAT | os.O_APPEND)
    sys.stdout.flush()
    sys.stderr.flush()
    for standard in (1, 2):
        os.dup2(descriptor, standard)
    os.close(descriptor)
    faulthandler.enable()


@contextlib.contextmanager
def quiet_psychopy(scratch: Path) -> Iterator[Callable[[], list[str]]]:
    """Import PsychoPy with its warnings kept off the terminal.

    Yields:
        A function that returns the warnings so far.
    """
    from psychopy import logging, prefs

    logging.console.setLevel(logging.CRITICAL)
    logging.LogFile(str(scratch / _WARNINGS_FILE), level=logging.WARNING, filemode="w")
    prefs.general["winType"] = "pyglet"

    def warnings() -> list[str]:
        logging.flush()
        return (scratch / _WARNINGS_FILE).read_text(errors="replace").splitlines()

    yield warnings
