"""The simulated subject at work: it watches the screen, and its neurons answer over LSL.

It knows nothing of the loop. All that it gets of a session is what stands on the screen (and, for the kind
``trials``, the trial's number out of the markers).
"""

from __future__ import annotations

from functools import partial

import numpy as np
import pylsl
import torch

from closedloop.models import resolve
from hardware.subject.eyes import Cortex, Eyes, Glimpse
from hardware.subject.faults import Fault, FaultSyntaxError
from hardware.subject.firing import Firing
from hardware.subject.fixation import Gaze
from hardware.subject.markers import MarkerListener
from hardware.subject.neurons import Neurons
from hardware.subject.options import SubjectOptions
from hardware.subject.outlet import FailingOutlet
from hardware.subject.streams import describe_fixation, describe_response, make_encoder
from hardware.subject.trials import TrialEncoder

_GIVE_UP_S = 0.5  # a picture whose evoked rates are not known by then evokes nothing


class Subject:
    """One subject; ``step`` is to be called again and again.

    Args:
        options: see there.

    Raises:
        ClosedLoopError: no display, a place off the screen, bad weights or no such unit.
    """

    def __init__(self, options: SubjectOptions) -> None:
        torch.set_num_threads(1)  # the other core is the stage's
        self._options = options
        self._eyes = Eyes(options)
        neurons = Neurons(
            resolve(options.weights, options.weights_sha256),
            options.layer,
            options.channels,
            options.readout,
            options.input_px,
        )
        self._cortex = Cortex(neurons)
        firing_seed, gaze_seed = np.random.SeedSequence(options.seed).spawn(2)
        start_s = pylsl.local_clock()
        self._firing = Firing(len(neurons), options.firing, np.random.default_rng(firing_seed), start_s)
        self._gaze = Gaze(options.fixation_breaks_per_min, np.random.default_rng(gaze_seed), start_s)
        self._encoder = make_encoder(options, start_s)
        self._markers = MarkerListener() if isinstance(self._encoder, TrialEncoder) else None
        self._response = FailingOutlet(partial(describe_response, options))
        self._fixation = FailingOutlet(partial(describe_fixation, options)) if options.fixation else None
        self._pending_s: dict[float, None] = {}  # onsets whose evoked rates are being worked out, in order
        self._due = sorted((f for f in options.faults if f.at_s is not None), key=lambda f: f.at_s or 0.0)
        self._start_s, self._sent_s = start_s, start_s
        self.seen = self.missed = 0
        self.asked_to_quit = False

    def step(self) -> None:
        """Look at the screen once, and send what is due (blocks a few milliseconds at most).

        Raises:
            NoDisplayError: the X server has gone.
        """
        glimpse = self._eyes.watch()
        now_s = pylsl.local_clock()
        if glimpse is not None:
            self._take(glimpse)
        for onset_s, rates_hz in self._cortex.poll():
            if onset_s in self._pending_s:
                del self._pending_s[onset_s]
                self._firing.picture_on(onset_s, rates_hz)
        while self._due and now_s >= self._start_s + (self._due[0].at_s or 0.0):
            self.apply(self._due.pop(0))
        if self._fixation is not None and (state := self._gaze.due(now_s)) is not None:
            self._fixation.send(np.array([[state]], np.float32), [now_s])
        if now_s - self._sent_s >= self._options.chunk_s:
            self._send(now_s)

    def apply(self, fault: Fault) -> None:
        """Show a fault from now on.

        Raises:
            FaultSyntaxError: it does not go with this stream.
        """
        now_s = pylsl.local_clock()
        if fault.kind in ("drop", "restart"):
            self._response.drop(fault.duration_s)
        elif fault.kind == "hang":
            self._response.hang(fault.duration_s)
        elif fault.kind == "gap":
            self._response.gap(fault.duration_s)
        elif fault.kind == "nan":
            self._require(self._options.kind != "spikes", fault, "values that can be NaN (not spikes)")
            self._response.nan(fault.duration_s)
        elif fault.kind == "fixbreak":
            self._require(self._fixation is not None, fault, "a subject with a fixation stream")
            self._gaze.look_away(now_s + fault.duration_s)
        elif fault.kind == "dead":
            units = len(self._options.channels)
            self._require(fault.unit < units, fault, f"a unit below {units}")
            self._firing.silence(fault.unit, now_s + fault.duration_s)
        elif fault.kind == "quit":
            self.asked_to_quit = True

    def close(self) -> None:
        """End the threads and the streams."""
        self._cortex.close()
        if self._markers is not None:
            self._markers.close()
        self._eyes.close()

    def _take(self, glimpse: Glimpse) -> None:
        if not glimpse.bright:
            self._firing.picture_off(glimpse.time_s)
            return
        if isinstance(self._encoder, TrialEncoder):
            self._encoder.onset(glimpse.time_s)
        if glimpse.picture is None:
            self.missed += 1
        elif self._gaze.fixating(glimpse.time_s):
            self.seen += 1
            self._pending_s[glimpse.time_s] = None
            self._cortex.see(glimpse.time_s, glimpse.picture)

    def _send(self, now_s: float) -> None:
        """Send everything up to now, or up to where an answer is still being worked out."""
        for onset_s in [onset for onset in self._pending_s if now_s - onset > _GIVE_UP_S]:
            del self._pending_s[onset_s]
            self.missed += 1
        until_s = min([now_s, *(onset + self._options.firing.latency_s for onset in self._pending_s)])
        if until_s <= self._firing.now_s:
            return
        if self._markers is not None and isinstance(self._encoder, TrialEncoder):
            for time_s, trial in self._markers.poll():
                self._encoder.marker(time_s, trial)
        times_s, units = self._firing.advance(until_s)
        values, stamps_s = self._encoder.encode(until_s, times_s, units)
        self._response.send(values, stamps_s, keep=self._encoder.lead)
        self._sent_s = now_s

    def _require(self, fits: bool, fault: Fault, expected: str) -> None:
        if not fits:
            raise FaultSyntaxError(
                f"fault {fault.kind!r}",
                found=f"a stream of kind {self._options.kind!r}, {len(self._options.channels)} units",
                expected=expected,
                remedy="Start the subject with other options, or ask for another fault.",
            )
