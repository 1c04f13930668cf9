"""How many runs a scan session has, what they differ in, and which of many designs are taken for them."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal

from pydantic import Field, model_validator

from closedloop.protocol.sections.base import MismatchError, Section
from closedloop.protocol.sections.course import Output


class Run(Section):
    """One run, and what it has of its own."""

    label: str = Field(
        pattern=r"^[A-Za-z0-9]+$", description="Letters and digits; the run of the BIDS names."
    )
    seed: int | None = Field(
        default=None, ge=0, lt=2**63, description="Its design is drawn from this; null: from the protocol's."
    )
    volumes: int | None = Field(default=None, ge=1, description="null: scanner.volumes.")
    events: Path | None = Field(
        default=None, description="design kind events: its table; relative to the protocol file."
    )


class Runs(Section):
    """The runs of a session, in order."""

    count: int | None = Field(default=None, ge=1, description="So many, labelled 1, 2, ...; 1 if left out.")
    each: tuple[Run, ...] = Field(default=(), description="Instead: the runs one by one.")

    @model_validator(mode="after")
    def _one_way(self) -> Runs:
        if self.count is not None and self.each:
            raise MismatchError("count", "a count as well as the runs one by one", "one of the two")
        labels = [run.label for run in self.each]
        for index, label in enumerate(labels):
            if label in labels[:index]:
                raise MismatchError(
                    ("each", index, "label"), f"'{label}' for a second time", "a label for each run"
                )
        return self

    @property
    def planned(self) -> tuple[Run, ...]:
        """The runs one by one, however they were given."""
        return self.each or tuple(Run(label=str(number + 1)) for number in range(self.count or 1))


class Contrast(Section):
    """A difference between conditions that is to be measured."""

    name: str = Field(pattern=r"^[A-Za-z0-9_>-]+$", description="For reports.")
    weights: dict[str, Annotated[float, Field(allow_inf_nan=False)]] = Field(
        min_length=1, description="Weight of each condition; others have 0."
    )

    @model_validator(mode="after")
    def _not_nothing(self) -> Contrast:
        if not any(self.weights.values()):
            raise MismatchError("weights", "nothing but zeros", "at least one weight that is not 0")
        return self


class Efficiency(Section):
    """How well the drawn design measures what is asked, and how many designs it is chosen from."""

    candidates: int = Field(
        default=1, ge=1, le=10_000, description="Draw so many designs and take the most efficient one."
    )
    contrasts: tuple[Contrast, ...] = Field(
        default=(), description="What is asked; none: each condition against rest, and each pair."
    )
    hrf: Literal["glover", "spm", "glover + derivative", "spm + derivative"] = Field(
        default="glover", description="Model of the haemodynamic response."
    )
    high_pass_s: float | None = Field(
        default=128.0, gt=0, description="Period of the high-pass filter; null: none."
    )


class ScanOutput(Output):
    """What is written besides the session file."""

    experiment: str = Field(
        default="scan", pattern=r"^[A-Za-z0-9]+$", description="Part of the folder's name; BIDS task."
    )
    tables: bool = Field(default=True, description="Write tables/*.parquet at the end.")
    bids: bool = Field(default=True, description="Write a BIDS folder at the end, for aborted runs, too.")
