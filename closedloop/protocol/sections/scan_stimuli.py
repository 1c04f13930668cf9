"""The stimuli of a scan session: images in folders, by name, or of codes."""

from __future__ import annotations

from pathlib import Path
from typing import Literal

from pydantic import Field, model_validator

from closedloop.protocol.sections.base import MismatchError, Pixel, Positive, Section
from closedloop.protocol.sections.thread import GeneratorSpec

# What events other than images are called in the events file.
RESERVED = ("null", "rest", "fixation")


class Condition(Section):
    """Images that count as one condition: the `trial_type` of the events file."""

    name: str = Field(
        pattern=r"^[A-Za-z0-9_-]+$", description="The trial_type; `null`, `rest` and `fixation` are taken."
    )
    folder: Path | None = Field(
        default=None, description="All PNG, JPEG and BMP files in it; relative to the protocol file."
    )
    files: tuple[Path, ...] = Field(
        default=(), description="Instead: these files; relative to the protocol file."
    )
    codes: int = Field(
        default=0, ge=0, description="Instead: so many codes from N(0, 1), drawn once from the seed."
    )
    code_file: Path | None = Field(
        default=None, description="Instead: .npy file of codes (n, d); relative to the protocol file."
    )
    generator: GeneratorSpec = Field(
        default_factory=GeneratorSpec, description="Makes images of the codes; not used for files."
    )

    @model_validator(mode="after")
    def _one_source(self) -> Condition:
        given = [
            key
            for key in ("folder", "files", "codes", "code_file")
            if getattr(self, key) not in (None, (), 0)
        ]
        if len(given) != 1:
            raise MismatchError(
                given[1] if given else (),
                " and ".join(given) if given else "none of folder, files, codes and code_file",
                "exactly one source of images",
                "Make a condition of each." if given else "Name one.",
            )
        if self.name in RESERVED:
            raise MismatchError("name", f"'{self.name}', which names events without an image", "another name")
        return self

    @property
    def is_coded(self) -> bool:
        """Whether its images are rendered from codes."""
        return self.codes > 0 or self.code_file is not None


class Stimuli(Section):
    """What is shown, and where on the screen."""

    size_deg: Positive = Field(default=8.0, description="Longer side of the images.")
    position_deg: tuple[float, float] = Field(
        default=(0.0, 0.0), description="Centre of the images: right of, above fixation."
    )
    size_px: tuple[Pixel, Pixel] | None = Field(
        default=None,
        description="Width and height to which all images are brought. null: of the generator's images; "
        "without one, of the first file, made smaller where it is above 1024.",
    )
    fit: Literal["cut", "pad"] = Field(
        default="cut",
        description="Images of another shape are cut around their middle, or padded with background.",
    )
    conditions: tuple[Condition, ...] = Field(
        default=(), description="Where the images come from; may be left out with design kind events."
    )

    @model_validator(mode="after")
    def _named_once(self) -> Stimuli:
        names = [condition.name for condition in self.conditions]
        for index, name in enumerate(names):
            if name in names[:index]:
                raise MismatchError(
                    ("conditions", index, "name"), f"'{name}' for a second time", "a name for each condition"
                )
        return self
