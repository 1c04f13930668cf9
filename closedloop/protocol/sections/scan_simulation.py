"""A scanner that is simulated, for protocols that are to run where there is none."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field, model_validator

from closedloop.protocol.sections.base import MismatchError, NotNegative, Positive, Section

Number = Annotated[int, Field(ge=0)]


class Simulation(Section):
    """A simulated scanner in place of a real one, with the faults that it is to have."""

    start_after_s: NotNegative = Field(
        default=3.0, description="The first pulse comes so long after the run is armed."
    )
    jitter_ms: NotNegative = Field(default=0.0, description="Each pulse is off by up to so much.")
    tr_error: float = Field(
        default=0.0, gt=-0.5, lt=0.5, description="Relative error of the TR: 0.0085 makes 2.017 s of 2 s."
    )
    drift: float = Field(
        default=0.0,
        gt=-0.5,
        lt=0.5,
        description="Relative change of the TR from the first volume to the last.",
    )
    drop_first: int = Field(default=0, ge=0, description="So many pulses at the start are not sent.")
    drop: tuple[Number, ...] = Field(default=(), description="Pulses that are not sent, from 0.")
    drop_share: float = Field(
        default=0.0, ge=0, le=1, description="Probability for each later pulse not to be sent."
    )
    double: tuple[Number, ...] = Field(default=(), description="Pulses that a second one follows.")
    double_share: float = Field(
        default=0.0, ge=0, le=1, description="Probability for each pulse that a second one follows."
    )
    double_after_ms: Positive = Field(default=20.0, description="How soon the second one follows.")
    extra_s: tuple[float, ...] = Field(
        default=(), description="Times of pulses that belong to nothing, from the first one's."
    )
    human_s: tuple[float, ...] = Field(
        default=(), description="Times at which a person presses the trigger's key, from the first pulse's."
    )
    stop_after: int | None = Field(
        default=None, ge=1, description="The scanner stops after so many volumes, dummies included."
    )
    press_ms: Positive = Field(default=10.0, description="keyboard: how long the trigger's key is down.")
    answer_share: float = Field(
        default=0.0,
        ge=0,
        le=1,
        description="A simulated subject answers this share of what the task asks for.",
    )
    answer_after_s: tuple[Positive, Positive] = Field(
        default=(0.35, 0.7), description="How soon it answers: earliest and latest."
    )

    @model_validator(mode="after")
    def _ordered(self) -> Simulation:
        if self.answer_after_s[0] > self.answer_after_s[1]:
            raise MismatchError(
                "answer_after_s",
                f"{self.answer_after_s[0]:g} s before {self.answer_after_s[1]:g} s",
                "earliest, latest",
            )
        return self
