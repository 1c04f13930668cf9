"""The frame loop: orders in, one frame, events out, and nothing that waits but the flip."""

from __future__ import annotations

import gc
import math

import numpy as np
import numpy.typing as npt

from closedloop.ports import Clock, FixationChange, Showing, StageClosed
from hardware.stage.fixations import FixationSchedule
from hardware.stage.inbox import Inbox
from hardware.stage.measuring import Measured
from hardware.stage.messages import BufferFree, Clear, Close, Cut, Load, Words
from hardware.stage.outbox import Outbox
from hardware.stage.schedule import Schedule
from hardware.stage.uploads import Uploads
from hardware.stage.window import StageWindow

_MARGIN_S = 0.001  # left over before a flip when an upload is fitted in
_COLLECT_AFTER_S = 1.0  # of idleness
_LEISURE_S = 0.5  # without a trial that words need to be made ready


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
        self._period_s = measured.period_s
        self._schedule = Schedule(measured.period_s)
        self._fixations = FixationSchedule(measured.period_s)
        self._words: Words | None = None  # to be made ready
        self._words_on = False
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
        self._get_words_ready()
        next_flip_s = self._expected_flip_s()
        showing = self._schedule.plan(self._uploads.ready, next_flip_s)
        color = self._fixations.plan(next_flip_s)
        away = showing is not None and not showing.has_image_in(self._schedule.frame_ahead)
        self._window.draw(
            showing, color, words=self._words_on and not self._schedule.running, image_away=away
        )
        self._pacer.wait()
        flip_s = self._window.flip()
        self._pacer.flipped(flip_s)
        for event in self._schedule.flipped(flip_s):
            self._outbox.put(event)
        for change in self._fixations.flipped(flip_s):
            self._outbox.put(change)
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
            elif isinstance(order, FixationChange):
                self._fixations.add(order)
            elif isinstance(order, Words):
                self._words = order
                self._words_on = self._words_on and order.text is not None
            elif isinstance(order, Clear):
                self._schedule.clear()
                self._fixations.clear()
            elif isinstance(order, Cut):
                self._schedule.cut_next()
                self._fixations.clear()
            elif isinstance(order, Close):
                return False
        return True

    def _upload(self) -> None:
        while (slot := self._uploads.next(self._schedule)) is not None:
            fits = self._time_left_s() > self._upload_s
            if not fits and not self._may_take_longer(slot):
                return
            buffer = self._uploads.take(slot)
            self._window.upload(slot, self._images[buffer])
            self._outbox.put(BufferFree(buffer))
            if not fits:
                return

    def _may_take_longer(self, slot: int) -> bool:
        """Whether a frame may be missed for an upload: none that counts is near, or it is needed at once."""
        if self._schedule.running:
            return False
        rest_s = self._schedule.next_due_s - self._pacer.next_flip_s
        far = math.isinf(rest_s) or rest_s > self._upload_s + 2 * self._period_s
        return slot == self._schedule.next_slot or far

    def _get_words_ready(self) -> None:
        """Making words ready takes several frames, so it waits until none of them counts."""
        if self._words is None or self._schedule.running:
            return
        if self._schedule.next_due_s < self._pacer.next_flip_s + _LEISURE_S:
            return
        self._window.set_words(self._words.text)
        self._words_on = self._words.text is not None
        self._words = None

    def _expected_flip_s(self) -> float:
        """When the frame that is drawn now will be on: later than planned if it is late already."""
        return max(self._pacer.next_flip_s, self._clock.now() + self._draw_s)

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
