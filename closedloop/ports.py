"""The ports of the house: what the loop needs of a rig, and the records that cross them.

``hardware`` implements each port twice, as the real device and as a simulator, and both pass the same
contract tests. All times are LSL ``local_clock`` seconds. No method blocks unless its docstring says so.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from enum import Enum
from typing import Any, Protocol, TypeAlias

import numpy as np
import numpy.typing as npt

Float64: TypeAlias = npt.NDArray[np.float64]
Pixels: TypeAlias = npt.NDArray[np.uint8]


class Clock(Protocol):
    """The one clock of a session."""

    def now(self) -> float:
        """Return the time in LSL ``local_clock`` seconds."""
        ...

    def sleep(self, seconds: float) -> None:
        """Wait (blocks). A simulated clock moves itself on instead."""
        ...


# --- stage -------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class DisplayReport:
    """What the stage measured and was granted when it opened.

    Attributes:
        size_px: width and height of the window.
        refresh_hz: measured refresh; on a display without vertical blank the rate the stage paces itself at.
        period_s: seconds per frame, ``1 / refresh_hz``.
        jitter_s: standard deviation of the frame interval over the measurement.
        paced_by: ``"vblank"`` where the display's own blank paces flips, ``"clock"`` where the stage does.
        pixels_per_deg: of the Monitor at the protocol's distance.
        details: renderer, GL version, priority granted, garbage collection, gamma, versions, ...
    """

    size_px: tuple[int, int]
    refresh_hz: float
    period_s: float
    jitter_s: float
    paced_by: str
    pixels_per_deg: float
    details: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class Showing:
    """The order to show one trial: an image that has been loaded into a slot.

    Attributes:
        trial: number of the trial, unique in the session, as sent in the markers.
        slot: texture slot that holds the image.
        on_frames: frames the image stays on the screen, at least 1.
        off_frames: frames of background after it, at least 0.
        position_deg: centre, degrees right of and above the fixation point.
        size_deg: width and height of the image in degrees.
        flicker_frames: while it is on, the image is there for the first number of frames and the background for the
            second, in turn; None: it stays.
        due_s: the trial comes on with the flip that is nearest to this time, or with the next one if it is
            past; None: as soon as the trial before it is over. Where two such trials follow each other
            without background by their times, the first one stays on a frame longer or shorter if that is
            what lies between their flips.
    """

    trial: int
    slot: int
    on_frames: int
    off_frames: int
    position_deg: tuple[float, float]
    size_deg: tuple[float, float]
    due_s: float | None = None
    flicker_frames: tuple[int, int] | None = None

    def has_image_in(self, frame: int) -> bool:
        """Whether the image, and not the background, is there in a frame of the on time, counted from 0."""
        if self.flicker_frames is None:
            return True
        there, away = self.flicker_frames
        return frame % (there + away) < there


@dataclass(frozen=True)
class FixationChange:
    """The order to change the fixation point's colour for a while.

    Attributes:
        number: of the change, as the caller counts; comes back in ``FixationChanged``.
        due_s: it changes with the flip that is nearest to this time, or with the next one if it is past.
        frames: for how many frames, at least 1.
        color: red, green, blue, each -1 to 1.
    """

    number: int
    due_s: float
    frames: int
    color: tuple[float, float, float]


@dataclass(frozen=True)
class FixationChanged:
    """The fixation point changed its colour with the flip at ``time_s``."""

    number: int
    time_s: float


@dataclass(frozen=True)
class Onset:
    """The image of a trial came on with the flip at ``time_s``."""

    trial: int
    time_s: float


@dataclass(frozen=True)
class Shown:
    """A trial is over; what happened on the screen.

    Attributes:
        trial: number of the trial.
        flips_s: stamps of every flip from the one that showed the image (first) to the one that ended the
            trial's off time (last, the first flip that no longer belongs to it); in order.
        on_flips: how many of these flips had the image on the screen.
        missed: missed frames, the sum of ``round(dt / period) - 1`` over ``flips_s`` and the interval before
            them, or the lateness that several flips add up to, in whole frames, if that is more.
        complete: False if the trial was cut off (stop, window closed).
    """

    trial: int
    flips_s: Float64
    on_flips: int
    missed: int
    complete: bool

    @property
    def onset_s(self) -> float:
        """Time of the flip that showed the image."""
        return float(self.flips_s[0])

    @property
    def offset_s(self) -> float:
        """Time of the flip that took the image off; NaN if it was cut off before."""
        return float(self.flips_s[self.on_flips]) if len(self.flips_s) > self.on_flips else float("nan")


@dataclass(frozen=True)
class KeyPress:
    """A key of the person at the rig, pressed in the stage's window or the terminal."""

    key: str
    time_s: float


@dataclass(frozen=True)
class StageClosed:
    """The stage is gone: window closed by hand, or its process died."""

    reason: str
    by_hand: bool
    time_s: float


StageEvent: TypeAlias = Onset | Shown | FixationChanged | KeyPress | StageClosed


class Stage(Protocol):
    """Shows trials, stamps flips, and does nothing else."""

    @property
    def slots(self) -> int:
        """How many images can be loaded at once."""
        ...

    def open(self) -> DisplayReport:
        """Open the window and measure the display (blocks some seconds).

        Raises:
            StageError: no display, or refresh that can't be determined or is not the expected one.
        """
        ...

    def load(self, slot: int, image: Pixels) -> None:
        """Hand over an image ``(h, w, 3)`` uint8, to be uploaded into a slot before its trial.

        The slot must not belong to a trial that is still to be shown.
        """
        ...

    def show(self, order: Showing) -> None:
        """Queue a trial; trials follow each other in this order, each at its time or without a gap."""
        ...

    def fixate(self, change: FixationChange) -> None:
        """Queue a change of the fixation point's colour; changes follow each other in this order."""
        ...

    def message(self, text: str | None) -> None:
        """Show words to the subject whenever no trial is on the screen; None takes them away.

        They stand in place of the fixation point. To be taken away before trials are due: while words are
        shown no frame counts.
        """
        ...

    def clear(self) -> None:
        """Drop queued trials and changes that have not come on yet; what is on is shown to its end."""
        ...

    def cut(self) -> None:
        """Drop what ``clear`` does, and take the trial that is on off the screen with the next flip that can.

        It is ``Shown`` as not complete, unless it was to end with that flip anyway.
        """
        ...

    def poll(self) -> Sequence[StageEvent]:
        """Return what happened since the last call, in order."""
        ...

    def close(self) -> None:
        """Show the background, close the window, end the process (blocks briefly). Safe to call twice."""
        ...


# --- response streams --------------------------------------------------------------------------------


class StreamState(str, Enum):
    """How a stream is, by the age of its newest sample."""

    LIVE = "live"
    LATE = "late"
    LOST = "lost"
    RECOVERING = "recovering"


@dataclass(frozen=True)
class StreamInfo:
    """A stream as it presents itself, and the role that it has in the session.

    Attributes:
        role: ``"response"`` or ``"fixation"``.
        kind: ``"rates"``, ``"counts"``, ``"spikes"`` or ``"trials"`` (``"fixation"`` for that role).
        nominal_hz: nominal rate; 0 for an irregular stream.
        channel_names: labels from the stream's description, or ``"unit 0"`` and so on.
    """

    role: str
    kind: str
    name: str
    type: str
    source_id: str
    nominal_hz: float
    channels: int
    dtype: str
    channel_names: tuple[str, ...]
    hostname: str = ""
    uid: str = ""
    xml: str = ""


@dataclass(frozen=True)
class Chunk:
    """Samples as they came in, with the clock correction that held for them.

    Attributes:
        role: role of the stream that they belong to.
        segment: counts up with each gap or restart of the source, after which the clock fit starts anew.
        sequence: counts up by one with each chunk of a role over the whole session; a hole proves a loss.
        stamps_raw_s: (n,) stamps as the sender gave them, in its own clock.
        values: (n, channels) in the stream's own type.
        correction_s: add to the raw stamps to have this machine's ``local_clock``.
        uncertainty_s: of the correction.
        received_s: when the chunk was pulled.
    """

    role: str
    segment: int
    sequence: int
    stamps_raw_s: Float64
    values: npt.NDArray[Any]
    correction_s: float
    uncertainty_s: float
    received_s: float

    @property
    def times_s(self) -> Float64:
        """(n,) stamps in ``local_clock``; NaN where the sender gave no time."""
        return self.stamps_raw_s + self.correction_s

    @property
    def span_s(self) -> tuple[float, float]:
        """Earliest and latest of them; both the time of receipt if none is a number."""
        known = self.times_s[np.isfinite(self.times_s)]
        if not len(known):
            return self.received_s, self.received_s
        return float(known.min()), float(known.max())


@dataclass(frozen=True)
class ClockProbe:
    """One ``time_correction`` measurement of a stream."""

    role: str
    segment: int
    time_s: float
    offset_s: float
    uncertainty_s: float


@dataclass(frozen=True)
class StreamStateChange:
    """A stream changed its state, with the reason in plain words."""

    role: str
    state: StreamState
    time_s: float
    age_s: float
    reason: str


@dataclass(frozen=True)
class StreamOverflow:
    """Samples were lost here because the bounded queue was full."""

    role: str
    lost_chunks: int
    time_s: float


@dataclass(frozen=True)
class SourceDied:
    """The process that hears the streams is gone."""

    reason: str
    time_s: float


SourceEvent: TypeAlias = Chunk | ClockProbe | StreamStateChange | StreamOverflow | SourceDied


class ResponseSource(Protocol):
    """Hears the response stream (and the fixation stream, if there is one)."""

    def open(self) -> Sequence[StreamInfo]:
        """Find and open the streams that the protocol selects (blocks up to its time limit).

        Raises:
            StreamError: none, more than one, or one that is not what the protocol says.
        """
        ...

    def poll(self) -> Sequence[SourceEvent]:
        """Return what came in since the last call, in order."""
        ...

    def close(self) -> None:
        """Close the streams and end the process (blocks briefly). Safe to call twice."""
        ...


@dataclass(frozen=True)
class Marker:
    """One event for the LSL marker stream: at least ``event`` and ``session`` in the payload."""

    time_s: float
    payload: Mapping[str, Any]


class MarkerSink(Protocol):
    """Sends markers to whoever listens (LSL stream ``closedloop-markers``)."""

    def send(self, marker: Marker) -> None:
        """Send one marker, stamped with its own time."""
        ...


class Operator(Protocol):
    """The person at the rig: hears their keys, tells them how it goes."""

    def poll(self) -> Sequence[KeyPress]:
        """Return keys pressed since the last call."""
        ...


@dataclass(frozen=True)
class Rig:
    """All devices of one session."""

    clock: Clock
    stage: Stage
    source: ResponseSource
    markers: MarkerSink
