"""How a recording is to be played, and how its playing goes."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class PlayOptions:
    """How to play.

    Attributes:
        speed: 1 is as recorded, 10 ten times as fast.
        loop: begin again at the end, until told to stop.
        from_s: where in the recording to begin.
        source_id_suffix: appended to each source id.
        wait_for_listener: send nothing before somebody hears one of the streams.
    """

    speed: float = 1.0
    loop: bool = False
    from_s: float = 0.0
    source_id_suffix: str = ""
    wait_for_listener: bool = False


@dataclass(frozen=True)
class PlayStatus:
    """How playing goes.

    Attributes:
        state: ``"opening"``, ``"waiting"`` (for a listener), ``"playing"``, ``"paused"`` or ``"ended"``.
        position_s: time in the recording.
        duration_s: of the recording.
        passes: how often it has been played to its end.
        sent: samples of each stream so far.
        heard: whether anybody hears each stream.
        latest_ms: how late the latest sample left since the last status.
    """

    state: str
    position_s: float
    duration_s: float
    passes: int
    sent: tuple[int, ...]
    heard: tuple[bool, ...]
    latest_ms: float
