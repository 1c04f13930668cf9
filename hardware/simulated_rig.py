"""A whole rig without devices: stage, source and markers that know each other, on any clock.

The same loop runs on it as at a real rig. With a virtual clock a session takes as long as its computing.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TypedDict

from closedloop.ports import Clock, Rig, StreamInfo
from closedloop.protocol.models import Protocol
from hardware.lsl.simulated import SimulatedMarkers, SimulatedSource
from hardware.lsl.simulated_values import Respond
from hardware.region.signal import SignalOptions
from hardware.region.simulated import RegionValues
from hardware.stage.simulated import SimulatedStage

DEFAULT_RATE_HZ = 1000.0


class _Scanner(TypedDict, total=False):
    values: RegionValues
    lag_s: float


@dataclass(frozen=True)
class SimulatedRig:
    """The simulators, each by its own type so that faults can be asked for, and the rig that they make."""

    rig: Rig
    stage: SimulatedStage
    source: SimulatedSource
    markers: SimulatedMarkers


def simulated_rig(
    protocol: Protocol,
    image_shape: tuple[int, int, int],
    clock: Clock,
    respond: Respond,
    *,
    units: int = 1,
    poisson: bool = False,
    missed_frames: float = 0.0,
    seed: int = 0,
) -> SimulatedRig:
    """Make a rig as a protocol wants it; where its responses come in volumes, a scanner.

    Args:
        protocol: its display and response sections count.
        image_shape: height, width and 3 of the images.
        clock: real or virtual.
        respond: rates of all units in spikes/s that a trial's image evokes; in a scanner, by which it drives
            all regions.
        units: how many there are.
        poisson: responses vary as Poisson spike counts do; in a scanner, there is noise and drift.
        missed_frames: probability that a frame of a trial is missed.
        seed: of the simulators.
    """
    response = protocol.response
    kind = response.kind
    channels = {"spikes": 1, "trials": units + 1}.get(kind, units)
    info = StreamInfo(
        role="response",
        kind=kind,
        name="simulated-responses",
        type="simulated",
        source_id=response.stream.source_id or "simulated-responses",
        nominal_hz=0.0 if kind in ("spikes", "trials") else response.rate_in_use_hz or DEFAULT_RATE_HZ,
        channels=channels,
        dtype="int32" if kind == "spikes" else "float64",
        channel_names=tuple(f"unit {unit}" for unit in range(channels)),
    )
    fixation = None
    if response.fixation_stream is not None:
        fixation = StreamInfo(
            role="fixation",
            kind="fixation",
            name="simulated-fixation",
            type="simulated",
            source_id="simulated-fixation",
            nominal_hz=0.0,
            channels=1,
            dtype="float64",
            channel_names=("fixating",),
        )
    source = SimulatedSource(
        clock,
        info,
        respond,
        seed=seed,
        liveness=response.liveness_in_use,
        poisson=poisson,
        duration_s=response.window_in_use.end_ms / 1000,
        fixation=fixation,
        **_scanner(protocol, info, respond, clock.now(), poisson, seed),
    )
    stage = SimulatedStage(
        clock, protocol.display, image_shape, on_show=source.on_show, missed_frames=missed_frames, seed=seed
    )
    markers = SimulatedMarkers()
    return SimulatedRig(Rig(clock, stage, source, markers), stage, source, markers)


def _scanner(
    protocol: Protocol, info: StreamInfo, respond: Respond, now_s: float, noise: bool, seed: int
) -> _Scanner:
    """Return what makes the source a scanner's pipeline; nothing if the protocol has no volumes."""
    volumes = protocol.response.volumes
    if volumes is None:
        return {}
    quiet = {} if noise else {"noise_percent": 0.0, "drift_percent": 0.0}
    signal = SignalOptions(tr_s=volumes.tr_s, speed=volumes.speed, seed=seed, **quiet)
    values = RegionValues(info, respond, volumes, signal, now_s)
    return {"values": values, "lag_s": 0.8 * volumes.delay_s}
