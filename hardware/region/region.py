"""The simulated region at work: it watches the screen, and its volumes go out over LSL.

It knows nothing of the loop. All that it gets of a session is what stands on the screen (and, for the kind
``trials``, the trial's number out of the markers).
"""

from __future__ import annotations

from collections import deque
from functools import partial

import numpy as np
import pylsl
import torch

from closedloop.models import resolve
from closedloop.ports import Float64
from closedloop.seeds import Purpose, random_for
from hardware.region.options import RegionOptions
from hardware.region.signal import RegionSignal
from hardware.region.streams import describe_region
from hardware.region.trials import TrialAnswers
from hardware.subject.eyes import Cortex, Eyes, Glimpse
from hardware.subject.markers import MarkerListener
from hardware.subject.neurons import Neurons
from hardware.subject.outlet import FailingOutlet

_GIVE_UP_S = 3.0  # a picture whose drive is not known by then drives nothing; until then volumes wait


class Region:
    """Some regions of one subject; ``step`` is to be called again and again.

    Args:
        options: see there.

    Raises:
        ClosedLoopError: no display, a place off the screen, bad weights or no such channel.

    Attributes:
        seen: pictures that were read.
        missed: pictures that were gone before they were read, or whose drive was not known in time.
        sent: volumes sent.
    """

    def __init__(self, options: RegionOptions) -> None:
        torch.set_num_threads(1)  # the other core is the stage's
        self._options = options
        subject = options.subject
        self._eyes = Eyes(subject)
        channels = sorted({channel for region in options.regions for channel in region})
        neurons = Neurons(
            resolve(subject.weights, subject.weights_sha256),
            subject.layer,
            channels,
            subject.readout,
            subject.input_px,
        )
        self._members = [[channels.index(channel) for channel in region] for region in options.regions]
        self._cortex = Cortex(neurons)
        self._signal = RegionSignal(len(options.regions), options.signal, pylsl.local_clock())
        self._jitter = random_for(options.signal.seed, Purpose.JITTER)
        self._outlet = FailingOutlet(partial(describe_region, options))
        self._answers = TrialAnswers(options) if options.kind == "trials" else None
        self._markers = MarkerListener() if self._answers is not None else None
        self._pending_s: dict[float, None] = {}  # onsets whose drive is being worked out
        self._offsets_s: dict[float, float] = {}
        self._newest_s: float | None = None
        self._queue: deque[tuple[float, float, Float64]] = deque()  # when to send, end of the volume, values
        self.seen = self.missed = self.sent = 0

    def step(self) -> None:
        """Look at the screen once, and send the volumes that are due (blocks a few milliseconds at most).

        Raises:
            NoDisplayError: the X server has gone.
        """
        glimpse = self._eyes.watch()
        now_s = float(pylsl.local_clock())
        if glimpse is not None:
            self._take(glimpse)
        for onset_s, rates_hz in self._cortex.poll():
            if onset_s in self._pending_s:
                del self._pending_s[onset_s]
                drive_hz = [
                    float(rates_hz[members].mean()) - self._options.subject.firing.baseline_hz
                    for members in self._members
                ]
                self._signal.picture_on(onset_s, drive_hz, self._offsets_s.pop(onset_s, np.inf))
        for onset_s in [onset for onset in self._pending_s if now_s - onset > _GIVE_UP_S]:
            del self._pending_s[onset_s]
            self.missed += 1
        self._image(now_s)
        self._send(now_s)

    def close(self) -> None:
        """End the threads and the streams."""
        self._cortex.close()
        if self._markers is not None:
            self._markers.close()
        self._eyes.close()

    def _take(self, glimpse: Glimpse) -> None:
        if not glimpse.bright:
            if self._newest_s in self._pending_s:
                self._offsets_s = {self._newest_s: glimpse.time_s}
            elif self._newest_s is not None:
                self._signal.picture_off(self._newest_s, glimpse.time_s)
            return
        if self._answers is not None:
            self._answers.onset(glimpse.time_s)
        if glimpse.picture is None:
            self._newest_s = None
            self.missed += 1
            return
        self.seen += 1
        self._newest_s = glimpse.time_s
        self._pending_s[glimpse.time_s] = None
        self._cortex.see(glimpse.time_s, glimpse.picture)

    def _image(self, now_s: float) -> None:
        """Draw the volumes that are over, as far as all that was seen during them is worked out."""
        until_s = min([now_s, *self._pending_s])
        while self._signal.ends_s(self._signal.volumes) <= until_s:
            end_s = self._signal.ends_s(self._signal.volumes)
            takes_s = self._options.delay_s + self._options.delay_jitter_s * float(self._jitter.random())
            before_s = self._queue[-1][0] if self._queue else 0.0
            # a pipeline works on one volume after the other
            self._queue.append((max(end_s + takes_s, before_s), end_s, self._signal.next_volume()))

    def _send(self, now_s: float) -> None:
        while self._queue and self._queue[0][0] <= now_s:
            _, end_s, values = self._queue.popleft()
            self.sent += 1
            if self._answers is None or self._markers is None:
                early_s = self._options.signal.tr_s if self._options.stamped == "start" else 0.0
                self._outlet.send(values[None, :].astype(np.float32), [end_s - early_s])
                continue
            for time_s, trial in self._markers.poll():
                self._answers.marker(time_s, trial)
            samples = self._answers.volume(end_s, values)
            self._outlet.send(samples, [end_s] * len(samples))
