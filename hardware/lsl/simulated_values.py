"""The samples that a simulated recording system sends, for each kind of response stream."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Protocol, TypeAlias

import numpy as np
import numpy.typing as npt

from closedloop.ports import Float64, Pixels, StreamInfo

Respond: TypeAlias = Callable[[int, Pixels], npt.ArrayLike]
_KEEP_ALIVE_HZ = 25.0
_FINEST_HZ = 1 / 64  # rates are multiples of it, so that means of equal values are exact in float64


@dataclass(frozen=True)
class Evoked:
    """The response to one trial.

    Attributes:
        trial: its number.
        start_s: when it begins.
        stop_s: when it ends.
        rates_hz: (units,) while it lasts.
        first_s: when the first of it is sent.
        spikes: sorted times and unit numbers of its spikes, and of the baseline before it.
    """

    trial: int
    start_s: float
    stop_s: float
    first_s: float
    rates_hz: Float64
    spikes: tuple[Float64, npt.NDArray[np.int32]]


class Sent(Protocol):
    """What a simulated sender sends: ``Values``, or a region's volumes."""

    def evoke(self, trial: int, image: Pixels, onset_s: float, offset_s: float) -> Evoked:
        """Take a picture that came on."""
        ...

    def between(self, start_s: float, stop_s: float) -> tuple[Float64, npt.NDArray[Any]]:
        """Return the stamps (n,) and values (n, channels) of the samples in ``(start_s, stop_s]``."""
        ...

    def forget(self, until_s: float) -> None:
        """Drop what is wholly sent."""
        ...


class Values:
    """Evoked responses, turned into the samples of one kind of stream.

    Args: as of ``SimulatedSource``.
    """

    def __init__(
        self,
        info: StreamInfo,
        respond: Respond,
        seed: int,
        poisson: bool,
        baseline_hz: float,
        latency_s: float,
        duration_s: float,
    ) -> None:
        self._info = info
        self._respond = respond
        self._seed = seed
        self._poisson = poisson
        self._baseline_hz = baseline_hz
        self._latency_s = latency_s
        self._duration_s = duration_s
        self._evoked: list[Evoked] = []
        make = {
            "rates": self._regular,
            "counts": self._regular,
            "spikes": self._spikes,
            "trials": self._trials,
        }
        self._make = make[info.kind]

    def evoke(self, trial: int, image: Pixels, onset_s: float, offset_s: float) -> Evoked:  # noqa: ARG002 - a subject with an OFF response will want it
        """Draw the response to one trial; it depends on seed, trial and image, but not on when."""
        digest = int.from_bytes(hashlib.sha256(np.ascontiguousarray(image).tobytes()).digest()[:8], "little")
        rng = np.random.default_rng(np.random.SeedSequence([self._seed, trial, digest]))
        rates_hz = np.atleast_1d(np.asarray(self._respond(trial, image), dtype=np.float64))
        lasts_s = self._duration_s - self._latency_s
        if self._poisson and self._info.kind != "spikes":
            rates_hz = rng.poisson(np.maximum(rates_hz, 0) * lasts_s) / lasts_s
        before = _poisson_train(rng, np.full_like(rates_hz, self._baseline_hz), 0.0, self._latency_s)
        driven = _poisson_train(rng, rates_hz, self._latency_s, self._duration_s)
        times_s = np.concatenate([before[0], driven[0]])
        order = np.argsort(times_s, kind="stable")
        start_s = onset_s + self._latency_s
        spikes = (onset_s + times_s[order], np.concatenate([before[1], driven[1]])[order])
        evoked = Evoked(
            trial=trial,
            start_s=start_s,
            stop_s=onset_s + self._duration_s,
            first_s=float(spikes[0][0]) if self._info.kind == "spikes" and len(order) else start_s,
            rates_hz=np.round(rates_hz / _FINEST_HZ) * _FINEST_HZ,
            spikes=spikes,
        )
        self._evoked.append(evoked)
        return evoked

    def between(self, start_s: float, stop_s: float) -> tuple[Float64, npt.NDArray[Any]]:
        """Return the stamps (n,) and values (n, channels) of the samples in ``(start_s, stop_s]``."""
        return self._make(start_s, stop_s)

    def forget(self, until_s: float) -> None:
        """Drop responses that are wholly sent."""
        period_s = 1 / self._info.nominal_hz if self._info.nominal_hz else 0.0
        self._evoked = [evoked for evoked in self._evoked if evoked.stop_s + period_s > until_s]

    def _regular(self, start_s: float, stop_s: float) -> tuple[Float64, npt.NDArray[Any]]:
        rate_hz = self._info.nominal_hz
        stamps_s = np.arange(np.floor(start_s * rate_hz) + 1, np.floor(stop_s * rate_hz) + 1) / rate_hz
        values = np.full((len(stamps_s), self._info.channels), self._baseline_hz)
        for evoked in self._evoked:
            # every bin that touches the response has it whole, so that its value hangs on no rounding
            within = (stamps_s > evoked.start_s) & (stamps_s - 1 / rate_hz < evoked.stop_s)
            values[within] = evoked.rates_hz
        if self._info.kind == "counts":
            values /= rate_hz
        if np.dtype(self._info.dtype).kind in "iu":
            values = np.round(values)
        return stamps_s, values.astype(self._info.dtype)

    def _spikes(self, start_s: float, stop_s: float) -> tuple[Float64, npt.NDArray[Any]]:
        alive_s = _keep_alives(start_s, stop_s)
        times = [alive_s]
        units = [np.full(len(alive_s), -1, dtype=np.int32)]
        for evoked in self._evoked:
            spikes_s, fired = evoked.spikes
            within = (spikes_s > start_s) & (spikes_s <= stop_s)
            times.append(spikes_s[within])
            units.append(fired[within])
        stamps_s = np.concatenate(times)
        order = np.argsort(stamps_s, kind="stable")
        return stamps_s[order], np.concatenate(units)[order][:, None]

    def _trials(self, start_s: float, stop_s: float) -> tuple[Float64, npt.NDArray[Any]]:
        alive_s = _keep_alives(start_s, stop_s)
        rows = [(time_s, -1.0, np.zeros(self._info.channels - 1)) for time_s in alive_s]
        rows += [
            (evoked.stop_s, float(evoked.trial), evoked.rates_hz)
            for evoked in self._evoked
            if start_s < evoked.stop_s <= stop_s
        ]
        rows.sort(key=lambda row: row[0])
        values = np.zeros((len(rows), self._info.channels), dtype=self._info.dtype)
        for index, (_, trial, rates_hz) in enumerate(rows):
            values[index] = np.concatenate([[trial], np.broadcast_to(rates_hz, self._info.channels - 1)])
        return np.array([row[0] for row in rows]), values


def _poisson_train(
    rng: np.random.Generator, rates_hz: Float64, start_s: float, stop_s: float
) -> tuple[Float64, npt.NDArray[np.int32]]:
    counts = rng.poisson(np.maximum(rates_hz, 0) * (stop_s - start_s))
    units = np.repeat(np.arange(len(rates_hz), dtype=np.int32), counts)
    return rng.uniform(start_s, stop_s, size=len(units)), units


def _keep_alives(start_s: float, stop_s: float) -> Float64:
    ticks = np.arange(np.floor(start_s * _KEEP_ALIVE_HZ) + 1, np.floor(stop_s * _KEEP_ALIVE_HZ) + 1)
    return np.asarray(ticks / _KEEP_ALIVE_HZ, dtype=np.float64)
