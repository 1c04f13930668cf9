"""The pulses that a scanner sends, faults and all: what the simulator plays and the ledger is tried on."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from typing import Literal, NamedTuple, TypeAlias

import numpy as np

PulseKind: TypeAlias = Literal["dummy", "volume", "slice", "doubled", "extra", "human"]


class SimulatedPulse(NamedTuple):
    """One pulse of the plan.

    Attributes:
        time_s: from the nominal first pulse of the sequence, whether or not that one is sent.
        kind: ``dummy`` or ``volume`` begins a volume; ``slice`` is a later pulse within one; ``doubled``
            follows another at once; ``extra`` comes from nowhere; ``human`` is a person at the trigger's key.
        volume: the volume that it belongs to, from 0, dummies included; None for ``extra`` and ``human``.
        within: number of the pulse within its volume, from 0.
    """

    time_s: float
    kind: PulseKind
    volume: int | None
    within: int = 0


@dataclass(frozen=True)
class ScannerFaults:
    """What may be wrong with a scanner's pulses.

    Pulses are counted from 0 at the first of the sequence, dummies and slices included; with one pulse a
    volume that is the volume's number.

    Attributes:
        drop_first: so many pulses at the start are not sent.
        drop: pulses that are not sent.
        drop_share: probability for each later pulse that it is not sent.
        double: pulses that are followed by a second one.
        double_share: probability for each pulse that it is followed by a second one.
        double_after_s: how soon.
        extra_s: times of pulses that belong to nothing, from the nominal first one.
        human_s: times at which a person presses the trigger's key, likewise; negative: before the start.
        tr_error: relative error of the TR: 0.0085 for 2.017 s where 2.000 s are expected.
        drift: relative change of the TR from the first volume to the last.
        stop_after: so many volumes, dummies included, and the scanner stops.
    """

    drop_first: int = 0
    drop: Collection[int] = ()
    drop_share: float = 0.0
    double: Collection[int] = ()
    double_share: float = 0.0
    double_after_s: float = 0.02
    extra_s: Collection[float] = ()
    human_s: Collection[float] = ()
    tr_error: float = 0.0
    drift: float = 0.0
    stop_after: int | None = None

    def __post_init__(self) -> None:
        for name in ("drop_share", "double_share"):
            if not 0 <= getattr(self, name) <= 1:
                raise ValueError(f"{name} ({getattr(self, name)}) must lie between 0 and 1")
        if self.double_after_s <= 0:
            raise ValueError(f"double_after_s ({self.double_after_s}) must be more than 0")
        if self.tr_error <= -1 or abs(self.drift) >= 1:
            raise ValueError("a TR must stay above 0")
        if self.drop_first < 0 or (self.stop_after is not None and self.stop_after < 0):
            raise ValueError("drop_first and stop_after are counts")


def volume_times(tr_s: float, volumes: int, faults: ScannerFaults) -> np.ndarray:
    """Return when each volume really begins, in seconds from the first, shape ``(volumes,)``.

    Args:
        tr_s: nominal.
        volumes: with the dummies.
        faults: error and drift of the TR count.
    """
    change = faults.drift * np.arange(max(volumes - 1, 0)) / max(volumes - 2, 1)
    intervals_s = tr_s * (1 + faults.tr_error) * (1 + change)
    times_s: np.ndarray = np.concatenate([[0.0], np.cumsum(intervals_s)])[:volumes]
    return times_s


def pulse_times(
    tr_s: float,
    volumes: int,
    dummies: int,
    jitter_s: float,
    faults: ScannerFaults,
    rng: np.random.Generator,
    *,
    slices: int = 1,
    acquisition_s: float | None = None,
) -> list[SimulatedPulse]:
    """Return every pulse that is sent, in order of time.

    What is drawn for one pulse does not depend on the faults of another, so that a run with a fault is the
    same run otherwise.

    Args:
        tr_s: nominal repetition time.
        volumes: stored volumes.
        dummies: volumes before them that send pulses, too.
        jitter_s: each pulse is off its time by up to so much, evenly distributed, independent of the others.
        faults: what is wrong.
        rng: draws jitter and the faults that have a share.
        slices: pulses in a volume, evenly over ``acquisition_s``.
        acquisition_s: how long a volume takes within its TR; None: all of it.
    """
    total = (dummies + volumes) * slices
    off_s = jitter_s * rng.uniform(-1, 1, total)
    dropped = rng.random(total) < faults.drop_share
    doubled = rng.random(total) < faults.double_share
    begins_s = volume_times(tr_s, dummies + volumes, faults)
    step_s = (tr_s if acquisition_s is None else acquisition_s) * (1 + faults.tr_error) / slices
    sent: list[SimulatedPulse] = []
    for pulse in range(total):
        volume, within = divmod(pulse, slices)
        if faults.stop_after is not None and volume >= faults.stop_after:
            break
        if pulse < faults.drop_first or pulse in faults.drop or dropped[pulse]:
            continue
        time_s = float(begins_s[volume] + within * step_s + off_s[pulse])
        kind: PulseKind = "slice" if within else "dummy" if volume < dummies else "volume"
        sent.append(SimulatedPulse(time_s, kind, volume, within))
        if pulse in faults.double or doubled[pulse]:
            sent.append(SimulatedPulse(time_s + faults.double_after_s, "doubled", volume, within))
    sent += [SimulatedPulse(float(time_s), "extra", None) for time_s in faults.extra_s]
    sent += [SimulatedPulse(float(time_s), "human", None) for time_s in faults.human_s]
    return sorted(sent, key=lambda pulse: pulse.time_s)
