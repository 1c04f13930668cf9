"""The stage's process, from its first line to its last."""

from __future__ import annotations

import os
import shutil
import sys
import traceback
from multiprocessing.connection import Connection
from multiprocessing.shared_memory import SharedMemory
from pathlib import Path

import numpy as np

from closedloop.errors import ClosedLoopError, NoDisplayError, StageError
from closedloop.ports import DisplayReport
from hardware.clock import LslClock
from hardware.display import has_display
from hardware.memory import lock_own_memory
from hardware.stage.inbox import Inbox, engine_is_gone
from hardware.stage.messages import Failed, Opened, StageSettings
from hardware.stage.outbox import Outbox
from hardware.stage.pacing import REALTIME_SPIN_S, SPIN_S
from hardware.stage.priority import raise_priority
from hardware.stage.surroundings import obey_only_the_engine, psychopy_home, quiet_psychopy, redirect_output
from hardware.wakefulness import AwakeCores

_LAST_WORDS_S = 600.0  # how long to wait for an engine that does not read, when there is something to tell


def main(settings: StageSettings, orders: Connection, answers: Connection) -> None:
    """Run the stage (blocks until it is closed)."""
    scratch = Path(settings.scratch)
    obey_only_the_engine()
    redirect_output(scratch)
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
        if engine_is_gone(settings.engine_pid):
            shutil.rmtree(scratch, ignore_errors=True)  # nobody else will


def _show(settings: StageSettings, inbox: Inbox, outbox: Outbox, memory: SharedMemory) -> None:
    if not has_display():
        raise NoDisplayError(
            "stage",
            found="no screen to open a window on",
            expected="a display",
            remedy="Set DISPLAY to the screen's, or run where there is one (the demo brings its own).",
        )
    with psychopy_home(settings), quiet_psychopy(Path(settings.scratch)) as warnings:
        # these bring in the window's libraries, which only this process may have
        from hardware.stage.frame_loop import FrameLoop
        from hardware.stage.measuring import measure
        from hardware.stage.window import StageWindow

    memory_words = lock_own_memory()
    cores = AwakeCores()  # until this process ends
    priority = raise_priority()  # before the window: a software renderer's threads inherit it
    outbox.start()
    clock = LslClock()
    display, shape = settings.display, settings.image_shape
    window = StageWindow(display, settings.presentation.fixation, shape, settings.slots, clock)
    images = np.ndarray((settings.buffers, *shape), np.uint8, buffer=memory.buf)
    spin_s = REALTIME_SPIN_S if priority.realtime else SPIN_S
    measured = measure(window, display, clock, np.zeros(shape, np.uint8), spin_s)
    details = window.details() | {
        "priority": priority.words,
        "memory": memory_words,
        "cores": cores.words,
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
        "psychopy_warnings": warnings(),
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


def _unforeseen(error: Exception) -> StageError:
    return StageError(
        "stage process",
        found=f"{type(error).__name__}: {error}",
        expected="no error",
        remedy="This is a fault of the program or of a library; please report it with the session's log.",
    )
