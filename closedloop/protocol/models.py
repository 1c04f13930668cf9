"""What a session is to do, as data: the whole protocol, of the sections in ``closedloop.protocol.sections``.

Durations are in milliseconds and lengths in degrees here, as people write them; the loop uses seconds
and frames (see ``closedloop.protocol.frames``).
"""

from __future__ import annotations

from typing import Literal

from pydantic import Field, model_validator

from closedloop.protocol.sections.base import MismatchError, Section
from closedloop.protocol.sections.course import Limits, Output, References, StopRule
from closedloop.protocol.sections.display import Corner, Display, Photodiode
from closedloop.protocol.sections.lsl import Lsl
from closedloop.protocol.sections.presentation import Fixation, Presentation
from closedloop.protocol.sections.response import Artefact, Liveness, Response, StreamSelection, WindowMs
from closedloop.protocol.sections.subject import Subject
from closedloop.protocol.sections.thread import GeneratorSpec, OptimizerSpec, Thread, Units

__all__ = [
    "Artefact",
    "Corner",
    "Display",
    "Fixation",
    "GeneratorSpec",
    "Limits",
    "Liveness",
    "Lsl",
    "MismatchError",
    "OptimizerSpec",
    "Output",
    "Photodiode",
    "Presentation",
    "Protocol",
    "References",
    "Response",
    "Section",
    "StopRule",
    "StreamSelection",
    "Subject",
    "Thread",
    "Units",
    "WindowMs",
]


class Protocol(Section):
    """A whole protocol file."""

    version: Literal[1] = Field(default=1, description="Of the protocol format.")
    kind: Literal["evolution"] = Field(default="evolution", description="What is run.")
    subject: Subject = Field(description="Who is recorded.")
    notes: str = Field(default="", description="Free text, kept with the session.")
    seed: int = Field(ge=0, lt=2**63, description="All random draws come from it.")
    display: Display = Field(default_factory=Display, description="Screen and window.")
    presentation: Presentation = Field(
        default_factory=Presentation, description="How images follow each other."
    )
    threads: tuple[Thread, ...] = Field(min_length=1, description="The evolutions, one or more.")
    response: Response = Field(description="How the answer to an image is measured.")
    lsl: Lsl = Field(default_factory=Lsl, description="The rig's own corner of the lab streaming layer.")
    references: References = Field(
        default_factory=lambda: References(per_generation=0),
        description="Images that do not evolve; none if left out.",
    )
    limits: Limits = Field(default_factory=Limits, description="Where the session ends at the latest.")
    stop: tuple[StopRule, ...] = Field(
        default=(), description="What ends it earlier; the first rule that holds."
    )
    output: Output = Field(default_factory=Output, description="What is written besides the session file.")

    @model_validator(mode="after")
    def _consistent(self) -> Protocol:
        names = [thread.name for thread in self.threads]
        if len(set(names)) != len(names):
            twice = next(i for i, name in enumerate(names) if name in names[:i])
            raise MismatchError(
                ("threads", twice, "name"), f"'{names[twice]}' for a second time", "a name for each thread"
            )
        if self.response.normalise != "off" and not self.references.per_generation:
            raise MismatchError(
                ("response", "normalise"),
                f"'{self.response.normalise}' without references",
                "references.per_generation above 0",
                "Add references, or set normalise to off.",
            )
        return self
