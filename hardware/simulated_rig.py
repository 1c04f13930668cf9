"""A whole rig without devices: stage, source and markers that know each other, on any clock.

The same loop runs on it as at a real rig. With a virtual clock a session takes as long as its computing.
"""

from __future__ import annotations

from dataclasses import dataclass

from closedloop.ports import Clock, Rig, StreamInfo
from closedloop.protocol.models import Protocol
from hardware.lsl.simulated import SimulatedMarkers, SimulatedSource
from hardware.lsl.simulated_values import Respond
from hardware.stage.simulated import SimulatedStage

DEFAULT_RATE_HZ = 1000.0


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
    """Make a rig as a protocol wants it.

    Args:
        protocol: its display and response sections count.
        image_shape: height, width and 3 of the images.
        clock: real or virtual.
        respond: rates of all units in spikes/s that a trial's image evokes.
        units: how many there are.
        poisson: responses vary as Poisson spike counts do.
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
        nominal_hz=0.0 if kind in ("spikes", "trials") else response.expected_rate_hz or DEFAULT_RATE_HZ,
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
        liveness=response.liveness,
        poisson=poisson,
        duration_s=response.window.end_ms / 1000,
        fixation=fixation,
    )
    stage = SimulatedStage(
        clock, protocol.display, image_shape, on_show=source.on_show, missed_frames=missed_frames, seed=seed
    )
    markers = SimulatedMarkers()
    return SimulatedRig(Rig(clock, stage, source, markers), stage, source, markers)
