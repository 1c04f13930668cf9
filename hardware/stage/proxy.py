"""The engine's side of the stage: the port ``closedloop.ports.Stage`` on a process of its own."""

from __future__ import annotations

import os
import shutil
import tempfile
from collections import deque
from collections.abc import Sequence
from multiprocessing.connection import Connection, wait
from multiprocessing.context import SpawnProcess
from pathlib import Path

from closedloop.errors import ProcessDiedError, StageError
from closedloop.ports import (
    DisplayReport,
    FixationChange,
    FixationChanged,
    KeyPress,
    Onset,
    Pixels,
    Showing,
    Shown,
    StageClosed,
    StageEvent,
)
from closedloop.protocol.models import Display, Presentation
from hardware.clock import LslClock
from hardware.stage.departure import describe_end, end_process
from hardware.stage.images import SharedImages, check_image
from hardware.stage.launch import launch
from hardware.stage.messages import (
    BufferFree,
    Clear,
    Close,
    Cut,
    Failed,
    Load,
    Opened,
    Order,
    StageSettings,
    Words,
)
from hardware.stage.orders import OrderBook

_OPEN_TIMEOUT_S = 90.0
_CLOSE_TIMEOUT_S = 3.0


class PsychopyStage:
    """Shows trials in a PsychoPy window, in a process that does nothing else.

    Images travel through shared memory and are uploaded in the order of ``load``, orders and events
    through pipes. Nothing here blocks but ``open`` and ``close``. An image may be loaded into the slot of
    a trial that was dropped by ``clear``: should that trial have come on at the same moment, its picture
    stays until it is over.

    Args:
        display: the protocol's screen and window.
        presentation: the protocol's timing; only its fixation point is used here.
        image_shape: height, width and 3 of every image.
        slots: how many images can be loaded at once.
    """

    def __init__(
        self,
        display: Display,
        presentation: Presentation,
        image_shape: tuple[int, int, int],
        slots: int = 32,
    ) -> None:
        self._display = display
        self._presentation = presentation
        self._shape = image_shape
        self._slots = slots
        self._clock = LslClock()
        self._book = OrderBook(slots)
        self._waiting: deque[tuple[int, Pixels] | Order] = deque()  # behind a load without a free buffer
        self._events: list[StageEvent] = []
        self._images: SharedImages | None = None
        self._process: SpawnProcess | None = None
        self._orders: Connection | None = None
        self._answers: Connection | None = None
        self._scratch: Path | None = None
        self._end: StageClosed | StageError | None = None

    @property
    def slots(self) -> int:
        """How many images can be loaded at once."""
        return self._slots

    def open(self) -> DisplayReport:
        """Start the process, open the window and measure the display (blocks some seconds).

        Raises:
            NoDisplayError: there is no display, or not that screen.
            RefreshError: the refresh can't be determined, or isn't what the protocol expects.
            StageError: the window can't be as the protocol says.
            ProcessDiedError: the process ended while it opened.
        """
        if self._process is not None:
            raise StageError(
                "stage",
                found="open",
                expected="closed",
                remedy="This is a fault of the program; please report it.",
            )
        self._scratch = Path(tempfile.mkdtemp(prefix="closedloop-stage-"))
        buffers = 2 * self._slots
        try:
            self._images = SharedImages(self._shape, buffers)
            settings = StageSettings(
                display=self._display,
                presentation=self._presentation,
                image_shape=self._shape,
                slots=self._slots,
                memory_name=self._images.name,
                buffers=buffers,
                scratch=str(self._scratch),
                engine_pid=os.getpid(),
            )
            self._process, self._orders, self._answers = launch(settings)
            report = self._wait_until_open(self._process, self._answers, self._scratch)
            self._images.forget_name()
            return report
        except BaseException:
            self.close()
            raise

    def load(self, slot: int, image: Pixels) -> None:
        """Hand over an image ``(h, w, 3)`` uint8 (copied), to be uploaded into a slot before its trial.

        Raises:
            StageError: no such slot, a trial still needs what is in it, or the image has another shape.
        """
        check_image(image, self._shape, slot)
        self._book.load(slot)
        if self._images is None:
            return
        if self._waiting or not self._images.any_free:
            self._waiting.append((slot, image.copy()))
        else:
            self._send(Load(slot, self._images.put(image)))

    def show(self, order: Showing) -> None:
        """Queue a trial; trials follow each other in this order, each at its time or without a gap.

        Raises:
            StageError: the order can't be carried out: an empty slot, a number in use, no frames.
        """
        self._book.show(order)
        self._send_in_turn(order)

    def fixate(self, change: FixationChange) -> None:
        """Queue a change of the fixation point's colour.

        Raises:
            StageError: it has no frames, or this stage no fixation point.
        """
        self._book.fixate(change)
        if self._presentation.fixation is None:
            raise StageError(
                "fixation point",
                found=f"change {change.number} of it, while there is none",
                expected="a fixation point that can change",
                remedy="Give the protocol a fixation point.",
            )
        self._send_in_turn(change)

    def message(self, text: str | None) -> None:
        """Show words to the subject whenever no trial is on the screen; None takes them away."""
        self._send(Words(text))

    def clear(self) -> None:
        """Drop queued trials and changes that have not come on yet; what is on is shown to its end."""
        self._book.clear()
        self._send_in_turn(Clear())

    def cut(self) -> None:
        """Drop what ``clear`` does, and take the trial that is on off the screen with the next flip."""
        self._book.clear()
        self._send_in_turn(Cut())

    def poll(self) -> Sequence[StageEvent]:
        """Return what happened since the last call, in order; the last event of all is ``StageClosed``."""
        self._receive()
        events, self._events = self._events, []
        return events

    def close(self) -> None:
        """Show the background, close the window, end the process (blocks briefly). Safe to call twice.

        What still happened is returned by the next ``poll``.
        """
        if self._process is not None:
            self._send(Close())
            self._drain(_CLOSE_TIMEOUT_S)
            end_process(self._process)
            self._receive_all()
            self._end = self._end or StageClosed(
                "closed by the engine", by_hand=False, time_s=self._clock.now()
            )
        for connection in (self._orders, self._answers):
            if connection is not None:
                connection.close()
        self._orders = self._answers = None
        if self._images is not None:
            self._images.close()
            self._images = None
        if self._scratch is not None:
            shutil.rmtree(self._scratch, ignore_errors=True)
            self._scratch = None

    def _wait_until_open(self, process: SpawnProcess, answers: Connection, scratch: Path) -> DisplayReport:
        ready = wait([answers, process.sentinel], timeout=_OPEN_TIMEOUT_S)
        try:
            answer = answers.recv() if answers in ready else None
        except (EOFError, OSError):
            answer = None
        if isinstance(answer, Opened):
            return answer.report
        if isinstance(answer, Failed):
            raise answer.error
        raise ProcessDiedError(
            "stage process",
            found=describe_end(process, scratch) if ready else f"no answer in {_OPEN_TIMEOUT_S:g} s",
            expected="an open window",
            remedy="Try `closedloop check`, which says what this display can do.",
        )

    def _send_in_turn(self, order: Order) -> None:
        if self._waiting:
            self._waiting.append(order)
        else:
            self._send(order)

    def _send(self, order: Order) -> None:
        if self._orders is None:
            return
        try:
            self._orders.send(order)
        except OSError:
            self._orders.close()  # the stage is gone; poll says so, with the reason
            self._orders = None

    def _send_waiting(self) -> None:
        while self._waiting and self._images is not None:
            order = self._waiting[0]
            if isinstance(order, tuple):
                if not self._images.any_free:
                    return
                slot, image = order
                order = Load(slot, self._images.put(image))
            self._waiting.popleft()
            self._send(order)

    def _receive(self) -> None:
        if self._process is None or self._end is not None:
            return
        alive = self._process.is_alive()  # asked first: what a dead one had sent is all there by now
        open_ = self._receive_all()
        self._send_waiting()
        if (open_ and alive) or self._end is not None:
            return
        self._process.join(1.0)
        reason = describe_end(self._process, self._scratch)
        self._finish(StageClosed(reason, by_hand=False, time_s=self._clock.now()))

    def _receive_all(self) -> bool:
        """Take in what is there; False once the process has closed its end."""
        try:
            while self._answers is not None and self._answers.poll():
                self._take(self._answers.recv())
        except (EOFError, OSError):
            return False
        return True

    def _take(self, answer: object) -> None:
        if isinstance(answer, BufferFree):
            if self._images is not None:
                self._images.release(answer.buffer)
        elif isinstance(answer, Failed):
            self._finish(StageClosed(str(answer.error), by_hand=False, time_s=self._clock.now()))
        elif isinstance(answer, StageClosed):
            self._finish(answer)
        elif isinstance(answer, (Onset, Shown, FixationChanged, KeyPress)):
            if isinstance(answer, Shown):
                self._book.shown(answer.trial)
            self._events.append(answer)

    def _finish(self, end: StageClosed) -> None:
        if self._end is None:
            self._end = end
            self._events.append(end)

    def _drain(self, timeout_s: float) -> None:
        """Read on until the process has closed its end, so that it can't wait for us to read."""
        until_s = self._clock.now() + timeout_s
        while self._answers is not None and (rest_s := until_s - self._clock.now()) > 0:
            if wait([self._answers], timeout=rest_s) and not self._receive_all():
                return
