"""The stage's process, from its first line to its last."""

from __future__ import annotations

import contextlib
import faulthandler
import os
import signal
import sys
import traceback
from collections.abc import Iterator
from multiprocessing.connection import Connection
from multiprocessing.shared_memory import SharedMemory
from pathlib import Path

import numpy as np

from closedloop.errors import ClosedLoopError, NoDisplayError, StageError
from closedloop.ports import DisplayReport
from hardware.clock import LslClock
from hardware.display import has_display
from hardware.stage.inbox import Inbox
from hardware.stage.messages import Failed, Opened, StageSettings
from hardware.stage.outbox import Outbox
from hardware.stage.priority import raise_priority

OUTPUT_FILE = "output.txt"
"""In the scratch folder: what the process and its libraries print."""

_LAST_WORDS_S = 600.0  # how long to wait for an engine that does not read, when there is something to tell


def main(settings: StageSettings, orders: Connection, answers: Connection) -> None:
    """Run the stage (blocks until it is closed)."""
    _obey_only_the_engine()
    _redirect_output(Path(settings.scratch))
    outbox = Outbox(answers)
    memory = SharedMemory(settings.memory_name)
    try:
        _show(settings, Inbox(orders, settings.engine_pid), outbox, memory)
    except ClosedLoopError as error:
        outbox.put(Failed(error))
    except Exception as error:  # noqa: BLE001  whatever it is, the engine must hear of it
        traceback.print_exc()
        outbox.put(Failed(_unforeseen(error)))
    finally:
        outbox.close(_LAST_WORDS_S)
        memory.close()


def _show(settings: StageSettings, inbox: Inbox, outbox: Outbox, memory: SharedMemory) -> None:
    if not has_display():
        raise NoDisplayError(
            "stage",
            found="no screen to open a window on",
            expected="a display",
            remedy="Set DISPLAY to the screen's, or run where there is one (the demo brings its own).",
        )
    with _psychopy_home(settings):
        from psychopy import logging, prefs

        logging.console.setLevel(logging.CRITICAL)
        prefs.general["winType"] = "pyglet"
        # these bring in the window's libraries, which only this process may have
        from hardware.stage.frame_loop import FrameLoop
        from hardware.stage.measuring import measure
        from hardware.stage.window import StageWindow

    priority = raise_priority()  # before the window: a software renderer's threads inherit it
    outbox.start()
    clock = LslClock()
    display, shape = settings.display, settings.image_shape
    window = StageWindow(display, settings.presentation.fixation, shape, settings.slots, clock)
    images = np.ndarray((settings.buffers, *shape), np.uint8, buffer=memory.buf)
    measured = measure(window, display, clock, np.zeros(shape, np.uint8))
    details = window.details() | {
        "priority": priority,
        "garbage_collection": "off while trials run, collected when idle",
        "swap_control": (
            f"a flip waits for the vertical blank (median {measured.free_flip_ms:.2f} ms)"
            if measured.paced_by == "vblank"
            else f"no vertical blank: a flip takes {measured.free_flip_ms:.2f} ms (median), "
            f"so the stage paces itself by the clock at {display.refresh_hz:g} Hz"
        ),
        "refresh_intervals": measured.refresh.intervals,
        "refresh_outliers": measured.refresh.outliers,
        "measured_hz": 1 / measured.refresh.period_s,
        "draw_ms": measured.draw_s * 1e3,
        "upload_ms": measured.upload_s * 1e3,
        "pid": os.getpid(),
        "torch_loaded": "torch" in sys.modules,
    }
    report = DisplayReport(
        size_px=window.size_px,
        refresh_hz=1 / measured.period_s,
        period_s=measured.period_s,
        jitter_s=measured.refresh.jitter_s,
        paced_by=measured.paced_by,
        pixels_per_deg=window.pixels_per_deg,
        details=details,
    )
    outbox.put(Opened(report))
    FrameLoop(window, measured, images, inbox, outbox, clock).run()
    window.close()


@contextlib.contextmanager
def _psychopy_home(settings: StageSettings) -> Iterator[None]:
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


def _obey_only_the_engine() -> None:
    # Ctrl-C reaches every process of the terminal's group; the engine decides what it means
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    if hasattr(signal, "pthread_sigmask"):
        signal.pthread_sigmask(signal.SIG_UNBLOCK, {signal.SIGINT})  # see launch.py


def _redirect_output(scratch: Path) -> None:
    """What PsychoPy, GL or audio libraries print belongs into a file, not on the person's terminal."""
    descriptor = os.open(scratch / OUTPUT_FILE, os.O_WRONLY | os.O_CREAT | os.O_APPEND)
    sys.stdout.flush()
    sys.stderr.flush()
    for standard in (1, 2):
        os.dup2(descriptor, standard)
    os.close(descriptor)
    faulthandler.enable()


def _unforeseen(error: Exception) -> StageError:
    return StageError(
        "stage process",
        found=f"{type(error).__name__}: {error}",
        expected="no error",
        remedy="This is a fault of the program or of a library; please report it with the session's log.",
    )
