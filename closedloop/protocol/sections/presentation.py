"""How images follow each other."""

from __future__ import annotations

from pydantic import Field, model_validator

from closedloop.protocol.sections.base import Grey, MismatchError, NotNegative, Positive, Section


class Fixation(Section):
    """The fixation point."""

    size_deg: Positive = Field(default=0.2, description="Diameter.")
    color: tuple[Grey, Grey, Grey] = Field(default=(1.0, -1.0, -1.0), description="RGB, each -1 to 1.")


class Flicker(Section):
    """An image that comes and goes while it is on: a block of flashes, answered as one."""

    on_ms: Positive = Field(description="Time of each flash.")
    off_ms: Positive = Field(description="Background between two flashes.")


class Presentation(Section):
    """How images follow each other."""

    on_ms: Positive = Field(default=100.0, description="Time an image is on.")
    off_ms: NotNegative = Field(default=100.0, description="Background after each image.")
    flicker: Flicker | None = Field(
        default=None,
        description="The image comes and goes during on_ms, a block of flashes with one answer; null: it stays.",
    )
    images_per_trial: int = Field(
        default=1, ge=1, description="Images shown in a row before the inter-trial interval."
    )
    inter_trial_interval_ms: NotNegative = Field(
        default=0.0, description="Further background after images_per_trial images."
    )
    fixation: Fixation | None = Field(default_factory=Fixation, description="null: no fixation point.")

    @model_validator(mode="after")
    def _flickers_within(self) -> Presentation:
        if self.flicker is not None and self.flicker.on_ms + self.flicker.off_ms > self.on_ms:
            raise MismatchError(
                "flicker",
                f"{self.flicker.on_ms:g} ms on and {self.flicker.off_ms:g} ms off",
                f"at least one of each within on_ms, {self.on_ms:g} ms",
                "Lengthen on_ms: it is the time of the whole block.",
            )
        return self
