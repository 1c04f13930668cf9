"""What passes between the engine and the stage's process, besides the port's own events."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TypeAlias

from closedloop.errors import ClosedLoopError
from closedloop.ports import DisplayReport, FixationChange, Showing, StageEvent
from closedloop.protocol.models import Display, Presentation


@dataclass(frozen=True)
class StageSettings:
    """All that the stage's process needs to know.

    Attributes:
        display: the protocol's screen and window.
        presentation: the protocol's timing; only the fixation point is used.
        image_shape: height, width and 3 of every image.
        slots: textures.
        memory_name: of the shared memory that holds ``buffers`` images.
        buffers: images that can wait in the shared memory.
        scratch: a folder for what PsychoPy writes, and for the process's output.
        engine_pid: of the process that owns the stage.
    """

    display: Display
    presentation: Presentation
    image_shape: tuple[int, int, int]
    slots: int
    memory_name: str
    buffers: int
    scratch: str
    engine_pid: int


@dataclass(frozen=True)
class Load:
    """Upload the image in a shared buffer into a slot."""

    slot: int
    buffer: int


@dataclass(frozen=True)
class Words:
    """Show these words to the subject; None: no longer any."""

    text: str | None


@dataclass(frozen=True)
class Clear:
    """Drop the trials and changes that have not come on yet."""


@dataclass(frozen=True)
class Cut:
    """Drop them, and show the background in place of the trial that is on."""


@dataclass(frozen=True)
class Close:
    """Show the background and end."""


@dataclass(frozen=True)
class Opened:
    """The window is open and the display measured."""

    report: DisplayReport


@dataclass(frozen=True)
class Failed:
    """The process ends because of an error."""

    error: ClosedLoopError


@dataclass(frozen=True)
class BufferFree:
    """The image in a shared buffer is uploaded, or no longer wanted."""

    buffer: int


Order: TypeAlias = Load | Showing | FixationChange | Words | Clear | Cut | Close
Answer: TypeAlias = Opened | Failed | BufferFree | StageEvent
