"""The subject's eyes: what changes on the screen, and what a picture evokes, without holding up the watching."""

from __future__ import annotations

import queue
import sys
import threading
import time
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from closedloop.errors import NoDisplayError
from hardware.photodiode import EdgeDetector, PatchSampler
from hardware.subject.neurons import Neurons
from hardware.subject.options import SubjectOptions
from hardware.subject.pictures import Picture

_TRY_AGAIN_S = 0.2


@dataclass(frozen=True)
class Glimpse:
    """The patch changed: a picture came on (its pixels; None if it was gone before they were read) or went."""

    time_s: float
    bright: bool
    picture: Picture | None


class Eyes:
    """Watches the photodiode patch and reads the picture's pixels when it turns bright.

    Args:
        options: places on the screen and levels.

    Raises:
        NoDisplayError: no X server answers.
        StageError: a place is off the screen.
    """

    def __init__(self, options: SubjectOptions) -> None:
        self._screen = _open_screen(options.display, options.wait_display_s)
        width, height = self._screen.size_px
        x, y = options.patch_px
        self._screen.aim(x + width if x < 0 else x, y + height if y < 0 else y)
        side = height // 2
        self._picture_px = options.picture_px or ((width - side) // 2, (height - side) // 2, side, side)
        self._screen.grab(
            self._picture_px
        )  # a place off the screen is an error now, not at the first picture
        self._edges = EdgeDetector(*options.patch_levels)
        self._high = options.patch_levels[1]

    def watch(self) -> Glimpse | None:
        """Look once at the patch (blocks about 0.1 ms, and 1 to 2 ms more where a picture came on).

        Raises:
            NoDisplayError: the X server has gone.
        """
        change = self._edges.feed(self._screen.sample())
        if change is None:
            return None
        if not change.bright:
            return Glimpse(change.time_s, False, None)
        picture = self._screen.grab(self._picture_px)
        # still bright after it: so these were that picture's pixels
        gone = self._screen.sample().level < self._high
        return Glimpse(change.time_s, True, None if gone else picture)

    def close(self) -> None:
        """Close the connection to the screen."""
        self._screen.close()


def _open_screen(display: str | None, wait_s: float) -> PatchSampler:
    """Open the screen; an X server may be starting at the same time, so it is given a while."""
    until_s = time.monotonic() + wait_s
    while True:
        try:
            return PatchSampler(0, 0, display)
        except NoDisplayError:
            if time.monotonic() >= until_s or not sys.platform.startswith("linux"):
                raise
        time.sleep(_TRY_AGAIN_S)


class Cortex:
    """Runs the network in a thread, so that watching and sending go on meanwhile.

    Args:
        neurons: the units.
    """

    def __init__(self, neurons: Neurons) -> None:
        self._neurons = neurons
        self._in: queue.SimpleQueue[tuple[float, Picture] | None] = queue.SimpleQueue()
        self._out: queue.SimpleQueue[tuple[float, npt.NDArray[np.float64]] | Exception] = queue.SimpleQueue()
        self._thread = threading.Thread(target=self._work, name="cortex", daemon=True)
        self._thread.start()

    def see(self, onset_s: float, picture: Picture) -> None:
        """Start on a picture."""
        self._in.put((onset_s, picture))

    def poll(self) -> list[tuple[float, npt.NDArray[np.float64]]]:
        """Return the onsets and evoked rates ``(units,)`` that are ready.

        Raises:
            Exception: what went wrong in the thread.
        """
        ready = []
        while not self._out.empty():
            answer = self._out.get_nowait()
            if isinstance(answer, Exception):
                raise answer
            ready.append(answer)
        return ready

    def close(self) -> None:
        """End the thread (blocks briefly)."""
        self._in.put(None)
        self._thread.join(timeout=3.0)

    def _work(self) -> None:
        try:
            while (work := self._in.get()) is not None:
                onset_s, picture = work
                self._out.put((onset_s, self._neurons.look(picture)))
        except Exception as error:  # noqa: BLE001 - whatever it is, the main thread must raise it
            self._out.put(error)
