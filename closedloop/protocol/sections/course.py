"""References, limits, stop rules, output: the course of a session."""

from __future__ import annotations

from pathlib import Path
from typing import Literal

from pydantic import Field, model_validator

from closedloop.protocol.sections.base import MismatchError, Positive, Section


class References(Section):
    """Images that do not evolve, shown in each generation."""

    folder: Path | None = Field(
        default=None, description="PNG, JPEG or BMP files; relative to the protocol file."
    )
    random_codes: int = Field(
        default=0, ge=0, description="Instead: this many codes from N(0, 1), drawn once from the seed."
    )
    per_generation: int = Field(
        default=10, ge=0, description="How many are shown in each generation (for each thread)."
    )

    @model_validator(mode="after")
    def _one_source(self) -> References:
        if self.folder is not None and self.random_codes:
            raise MismatchError(
                "random_codes", "a folder as well as random_codes", "one of the two", "Remove either."
            )
        if self.per_generation and self.folder is None and not self.random_codes:
            raise MismatchError(
                "per_generation",
                f"{self.per_generation} references a generation, but nothing to take them from",
                "a folder or random_codes",
                "Name one of them, or set per_generation to 0.",
            )
        if self.random_codes and self.random_codes < self.per_generation:
            raise MismatchError(
                "per_generation",
                f"{self.per_generation} references a generation, out of {self.random_codes}",
                f"at most random_codes, {self.random_codes}",
                "Each is shown once in a generation; for more trials of each, raise response.repeats.",
            )
        return self


class Limits(Section):
    """Where a session ends at the latest."""

    generations: int = Field(default=30, ge=1, description="Generations of each thread.")
    minutes: float | None = Field(default=None, gt=0, description="No generation starts after this time.")
    max_repeats: int = Field(
        default=10, ge=0, description="How often an invalid trial is shown again, per image and generation."
    )
    wait_for_stream_s: Positive = Field(default=20.0, description="For the stream to be found at the start.")
    give_up_stream_s: float | None = Field(
        default=None, gt=0, description="End the session when a stream stays away this long."
    )


class StopRule(Section):
    """Ends the evolution when it no longer rises."""

    rule: Literal["plateau", "score"] = Field(description="plateau: no rise; score: a level is reached.")
    generations: int = Field(
        default=5, ge=1, description="plateau: compared with as many before; score: held for as many."
    )
    min_rise: float = Field(
        default=0.0, description="plateau: smallest relative rise of the mean score that still counts."
    )
    score: float | None = Field(default=None, description="score: level of the mean score.")

    @model_validator(mode="after")
    def _complete(self) -> StopRule:
        if self.rule == "score" and self.score is None:
            raise MismatchError("score", "none", "the level to reach, as rule is 'score'")
        if self.rule == "plateau" and self.score is not None:
            raise MismatchError(
                "score", "a score, while rule is 'plateau'", "none", "Set rule to score, or remove it."
            )
        return self


class Output(Section):
    """What is written besides the session file."""

    folder: Path = Field(default=Path("sessions"), description="Session folders are made in here.")
    experiment: str = Field(
        default="evolution", pattern=r"^[A-Za-z0-9]+$", description="Part of the folder's name; BIDS task."
    )
    report: bool = Field(default=True, description="Write report.html at the end.")
    tables: bool = Field(default=True, description="Write tables/*.parquet and events.tsv at the end.")
    images: bool = Field(default=True, description="Write images/*.png at the end.")
