"""One evolution: generator, optimizer, units, place on the screen."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import Field, model_validator

from closedloop.protocol.sections.base import MismatchError, Positive, Section


class GeneratorSpec(Section):
    """The image generator of a thread."""

    name: str = Field(default="dcgan", description="A registered generator; see docs/generators.md.")
    weights: str | None = Field(
        default=None,
        description="Model id of `closedloop models list`, or path of a weight file; null: the generator's own.",
    )
    sha256: str | None = Field(
        default=None, pattern=r"^[0-9a-f]{64}$", description="Required for a path: its SHA-256."
    )
    device: str = Field(default="auto", description="auto, cpu, cuda or cuda:N.")
    parameters: dict[str, Any] = Field(default_factory=dict, description="Passed to the generator.")


class OptimizerSpec(Section):
    """The optimizer of a thread."""

    name: str = Field(default="genetic", description="A registered optimizer; see docs/optimizers.md.")
    preset: str | None = Field(
        default=None, description="Named parameters to start from, for example xdream or in-vivo."
    )
    parameters: dict[str, Any] = Field(
        default_factory=dict, description="Override single parameters of the preset."
    )
    initial_codes: Path | None = Field(
        default=None, description=".npy file of codes (n, d) for the first generation."
    )


class Units(Section):
    """Which units count, and how they become one number."""

    combine: Literal["one", "mean", "weights"] = Field(
        default="one", description="One unit, their mean, or a weighted sum."
    )
    units: tuple[Annotated[int, Field(ge=0)], ...] = Field(
        default=(0,), min_length=1, description="Channel or unit numbers, from 0."
    )
    weights: tuple[float, ...] | None = Field(
        default=None, description="One for each unit, for combine: weights."
    )

    @model_validator(mode="after")
    def _weights_fit(self) -> Units:
        if self.combine == "one" and len(self.units) != 1:
            raise MismatchError(
                "units",
                f"{len(self.units)} units",
                "exactly one, as combine is 'one'",
                "Name one, or set combine to mean.",
            )
        if self.combine == "weights" and (self.weights is None or len(self.weights) != len(self.units)):
            found = "no weights" if self.weights is None else f"{len(self.weights)} weights"
            raise MismatchError(
                "weights", found, f"{len(self.units)}, one for each unit, as combine is 'weights'"
            )
        if self.combine != "weights" and self.weights is not None:
            raise MismatchError(
                "weights",
                f"weights, while combine is '{self.combine}'",
                "none",
                "Set combine to weights, or remove them.",
            )
        if len(set(self.units)) != len(self.units):
            raise MismatchError("units", "a unit named twice", "each unit once")
        if self.weights is not None and not any(self.weights):
            raise MismatchError("weights", "nothing but zeros", "at least one weight that is not 0")
        return self


class Thread(Section):
    """One evolution. Several run interleaved, trial by trial."""

    name: str = Field(
        default="evolution", pattern=r"^[A-Za-z0-9_-]+$", description="Used in tables and file names."
    )
    generator: GeneratorSpec = Field(default_factory=GeneratorSpec, description="Makes images of codes.")
    optimizer: OptimizerSpec = Field(default_factory=OptimizerSpec, description="Breeds the next codes.")
    units: Units = Field(default_factory=Units, description="Whose responses are the scores.")
    position_deg: tuple[float, float] = Field(
        default=(0.0, 0.0), description="Centre of the image: right of, above fixation."
    )
    size_deg: Positive = Field(default=3.0, description="Side of the image.")
