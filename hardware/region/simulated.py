"""The region on a rig without devices: the samples that ``SimulatedSource`` sends, on any clock."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from closedloop.ports import Float64, Pixels, StreamInfo
from closedloop.protocol.sections.volumes import Volumes
from hardware.lsl.simulated_values import Evoked, Respond
from hardware.region.options import RegionOptions
from hardware.region.signal import RegionSignal, SignalOptions
from hardware.region.trials import TrialAnswers


class RegionValues:
    """Volumes and answers as a simulated region sends them; see ``hardware.lsl.simulated_values.Values``.

    Unlike a neuron's, what is sent depends on when a picture was shown, as a brain's signal does.

    Args:
        info: the stream that it plays: kind, rate and channels count.
        respond: spikes/s above rest by which a picture drives each region.
        volumes: of the protocol.
        signal: what the signal is like; the protocol's TR and speed take the place of its own.
        start_s: when the first volume begins.
    """

    def __init__(
        self, info: StreamInfo, respond: Respond, volumes: Volumes, signal: SignalOptions, start_s: float
    ) -> None:
        regions = info.channels - (info.kind == "trials")
        window, baseline = volumes.window_in_use, volumes.baseline
        self._respond = respond
        self._early_s = volumes.tr_s if volumes.stamped == "start" else 0.0
        self._dtype = info.dtype
        self._signal = RegionSignal(regions, signal, start_s)
        self._answers = None
        if info.kind == "trials":
            options = RegionOptions(
                kind="trials",
                regions=((0,),) * regions,
                signal=signal,
                window=(window.start, window.end),
                baseline=None if baseline is None else (baseline.start, baseline.end),
            )
            self._answers = TrialAnswers(options)

    def evoke(self, trial: int, image: Pixels, onset_s: float, offset_s: float) -> Evoked:
        """Take a picture that came on."""
        drive_hz: Float64 = np.atleast_1d(np.asarray(self._respond(trial, image), dtype=np.float64))
        self._signal.picture_on(onset_s, drive_hz, offset_s)
        if self._answers is not None:
            self._answers.onset(onset_s)
            self._answers.marker(onset_s, trial)
        none = (np.empty(0), np.empty(0, dtype=np.int32))
        return Evoked(trial, onset_s, offset_s, onset_s, drive_hz, none)

    def between(self, start_s: float, stop_s: float) -> tuple[Float64, npt.NDArray[Any]]:
        """Return the stamps ``(n,)`` and values ``(n, channels)`` of the volumes that end in ``(start_s, stop_s]``."""
        stamps_s: list[float] = []
        rows: list[Float64] = []
        while (end_s := self._signal.ends_s(self._signal.volumes)) <= stop_s:
            volume = self._signal.next_volume()
            if end_s <= start_s:
                continue  # a scanner goes on while its pipeline does not
            samples = volume[None, :] if self._answers is None else self._answers.volume(end_s, volume)
            rows.extend(samples)
            stamps_s.extend([end_s - (self._early_s if self._answers is None else 0.0)] * len(samples))
        if not rows:
            return np.empty(0), np.empty((0, 0), dtype=self._dtype)
        return np.array(stamps_s), np.array(rows).astype(self._dtype)

    def forget(self, until_s: float) -> None:
        """Nothing: the signal itself forgets what is over."""
