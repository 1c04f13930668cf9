"""The frame loop: orders in, one frame, events out, and nothing that waits but the flip."""

from __future__ import annotations

import gc

import numpy as np
import numpy.typing as npt

from closedloop.ports import Clock, Showing, StageClosed
from hardware.stage.inbox import Inbox
from hardware.stage.measuring import Measured
from hardware.stage.messages import BufferFree, Clear, Close, Load
from hardware.stage.outbox import Outbox
from hardware.stage.schedule import Schedule
from hardware.stage.uploads import Uploads
from hardware.stage.window import StageWindow

_MARGIN_S = 0.001  # left over before a flip when an upload is fitted in
_COLLECT_AFTER_S = 1.0  # of idleness


class FrameLoop:
    """Runs until the engine closes the stage, dies, or the person closes the window.

    Args:
        window: open.
        measured: of that window.
        images: (buffers, h, w, 3), the shared memory, rows bottom first.
        inbox: orders.
        outbox: events.
        clock: of the session.
    """

    def __init__(
        self,
        window: StageWindow,
        measured: Measured,
        images: npt.NDArray[np.uint8],
        inbox: Inbox,
        outbox: Outbox,
        clock: Clock,
    ) -> None:
        self._window = window
        self._pacer = measured.pacer
        self._draw_s = measured.draw_s
        self._upload_s = measured.upload_s
        self._images = images
        self._inbox = inbox
        self._outbox = outbox
        self._clock = clock
        self._schedule = Schedule(measured.period_s)
        self._uploads = Uploads()
        self._collect_at_s = float("inf")

    def run(self) -> None:
        """Show frames until the end (blocks); garbage is collected only while no trial runs."""
        gc.collect()
        gc.freeze()
        gc.disable()
        try:
            while self._read_orders() and not self._outbox.broken:
                self._frame()
                if self._window.closed_by_hand:
                    break
        finally:
            gc.enable()
        self._end()

    def _frame(self) -> None:
        self._upload()
        self._window.draw(self._schedule.plan(self._uploads.ready))
        self._pacer.wait()
        flip_s = self._window.flip()
        self._pacer.flipped(flip_s)
        for event in self._schedule.flipped(flip_s):
            self._outbox.put(event)
        for key in self._window.take_keys():
            self._outbox.put(key)
        self._collect(flip_s)

    def _read_orders(self) -> bool:
        for order in self._inbox.take():
            if isinstance(order, Showing):
                self._schedule.add(order)
            elif isinstance(order, Load):
                replaced = self._uploads.add(order.slot, order.buffer)
                if replaced is not None:
                    self._outbox.put(BufferFree(replaced))
            elif isinstance(order, Clear):
                self._schedule.clear()
            elif isinstance(order, Close):
                return False
        return True

    def _upload(self) -> None:
        while (slot := self._uploads.next(self._schedule)) is not None:
            fits = self._time_left_s() > self._upload_s
            if self._schedule.running and not fits:
                return
            buffer = self._uploads.take(slot)
            self._window.upload(slot, self._images[buffer])
            self._outbox.put(BufferFree(buffer))
            if not fits:
                return

    def _time_left_s(self) -> float:
        return self._pacer.next_flip_s - self._clock.now() - self._draw_s - _MARGIN_S

    def _collect(self, now_s: float) -> None:
        if not self._schedule.idle:
            self._collect_at_s = now_s + _COLLECT_AFTER_S
        elif now_s >= self._collect_at_s:
            gc.collect()
            self._collect_at_s = float("inf")

    def _end(self) -> None:
        self._window.draw(None)
        flip_s = self._window.flip()
        for shown in self._schedule.cut(flip_s):
            self._outbox.put(shown)
        if self._window.closed_by_hand:
            self._outbox.put(StageClosed("the window was closed by hand", by_hand=True, time_s=flip_s))
