"""What the subject in the scanner is to do."""

from __future__ import annotations

from typing import Annotated, Literal, TypeAlias

from pydantic import Field, model_validator

from closedloop.protocol.sections.base import Grey, MismatchError, Positive, Section


class Answered(Section):
    """What every task has."""

    keys: tuple[Annotated[str, Field(min_length=1)], ...] = Field(
        default=("1",), min_length=1, description="Keys of the button box that count."
    )
    limit_s: Positive = Field(default=1.5, description="An answer later than this after the onset is a miss.")


class OneBack(Answered):
    """Press when an image is the same as the one before."""

    kind: Literal["one_back"] = Field(description="Press when an image is the same as the one before.")
    share: float = Field(
        default=0.1,
        gt=0,
        le=0.5,
        description="Repeats relative to the images of the design: added to an event_related one, in place of "
        "other images in blocks.",
    )


class Buttons(Answered):
    """Press one of several buttons at each image."""

    kind: Literal["buttons"] = Field(description="Press a button at each image.")
    correct: dict[str, str] = Field(
        default_factory=dict, description="The right key for each condition; empty: none is right or wrong."
    )

    @model_validator(mode="after")
    def _known_keys(self) -> Buttons:
        for condition, key in self.correct.items():
            if key not in self.keys:
                raise MismatchError(
                    ("correct", condition), f"'{key}'", f"one of the keys, {', '.join(self.keys)}"
                )
        return self


class FixationTask(Answered):
    """Press when the fixation point changes its colour."""

    kind: Literal["fixation"] = Field(description="Press when the fixation point changes its colour.")
    color: tuple[Grey, Grey, Grey] = Field(
        default=(-1.0, 1.0, -1.0), description="What it changes to: RGB, each -1 to 1."
    )
    change_s: Positive = Field(default=0.5, description="How long it stays changed.")
    shortest_s: Positive = Field(default=3.0, description="From one change to the next, at least.")
    longest_s: Positive = Field(default=9.0, description="And at most; drawn evenly between the two.")

    @model_validator(mode="after")
    def _answerable(self) -> FixationTask:
        if self.longest_s < self.shortest_s:
            raise MismatchError(
                "longest_s", f"{self.longest_s:g} s", f"at least shortest_s, {self.shortest_s:g} s"
            )
        least_s = max(self.change_s, self.limit_s)
        if self.shortest_s <= least_s:
            raise MismatchError(
                "shortest_s",
                f"{self.shortest_s:g} s",
                f"more than change_s and limit_s, {least_s:g} s, so that each answer belongs to one change",
            )
        return self


Task: TypeAlias = Annotated[OneBack | Buttons | FixationTask, Field(discriminator="kind")]
