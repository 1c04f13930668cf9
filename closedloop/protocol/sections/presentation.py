"""How images follow each other."""

from __future__ import annotations

from pydantic import Field

from closedloop.protocol.sections.base import Grey, NotNegative, Positive, Section


class Fixation(Section):
    """The fixation point."""

    size_deg: Positive = Field(default=0.2, description="Diameter.")
    color: tuple[Grey, Grey, Grey] = Field(default=(1.0, -1.0, -1.0), description="RGB, each -1 to 1.")


class Presentation(Section):
    """How images follow each other."""

    on_ms: Positive = Field(default=100.0, description="Time an image is on.")
    off_ms: NotNegative = Field(default=100.0, description="Background after each image.")
    images_per_trial: int = Field(
        default=1, ge=1, description="Images shown in a row before the inter-trial interval."
    )
    inter_trial_interval_ms: NotNegative = Field(
        default=0.0, description="Further background after images_per_trial images."
    )
    fixation: Fixation | None = Field(default_factory=Fixation, description="null: no fixation point.")
