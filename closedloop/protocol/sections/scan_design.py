"""When a scan run shows what: the kinds of design."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal, TypeAlias

from pydantic import Field, model_validator

from closedloop.protocol.sections.base import MismatchError, NotNegative, Positive, Section

TimeUnit: TypeAlias = Literal["seconds", "volumes"]


class Interval(Section):
    """Intervals, all the same, given one by one, or drawn."""

    draw: Literal["fixed", "given", "uniform", "exponential"] = Field(
        default="fixed", description="How they are found."
    )
    mean: float | None = Field(
        default=None,
        ge=0,
        description="fixed: each of them. exponential: their mean. uniform: halfway, or left out.",
    )
    shortest: float | None = Field(default=None, ge=0, description="uniform, exponential: lower end.")
    longest: float | None = Field(default=None, ge=0, description="uniform, exponential: upper end.")
    values: tuple[NotNegative, ...] = Field(
        default=(), description="given: the intervals in order, from the first again when they are used up."
    )

    @model_validator(mode="after")
    def _complete(self) -> Interval:
        if self.draw == "given":
            self._refuse("mean", "shortest", "longest")
            if not self.values:
                raise MismatchError("values", "none", "the intervals, as draw is 'given'")
            return self
        if self.values:
            raise MismatchError(
                "values", f"values, while draw is '{self.draw}'", "none", "Set draw to given."
            )
        if self.draw == "fixed":
            self._refuse("shortest", "longest")
            if self.mean is None:
                raise MismatchError("mean", "none", "the interval, as draw is 'fixed'")
            return self
        for key in ("shortest", "longest"):
            if getattr(self, key) is None:
                raise MismatchError(key, "none", f"a limit, as draw is '{self.draw}'")
        self._check_mean()
        return self

    def _refuse(self, *keys: str) -> None:
        for key in keys:
            if getattr(self, key) is not None:
                raise MismatchError(
                    key,
                    f"a value, while draw is '{self.draw}'",
                    "none",
                    "Set draw to uniform or exponential.",
                )

    def _check_mean(self) -> None:
        assert self.shortest is not None and self.longest is not None  # noqa: S101, PT018  # for mypy: just checked
        if not self.shortest < self.longest:
            raise MismatchError("longest", f"{self.longest:g}", f"more than shortest, {self.shortest:g}")
        halfway = (self.shortest + self.longest) / 2
        if self.draw == "uniform" and self.mean is not None and abs(self.mean - halfway) > 1e-9:
            raise MismatchError(
                "mean", f"{self.mean:g}", f"{halfway:g}, halfway, as draw is 'uniform'", "Leave it out."
            )
        if self.draw == "exponential" and self.mean is None:
            raise MismatchError("mean", "none", "the mean, as draw is 'exponential'")
        if self.draw == "exponential" and self.mean is not None and not self.shortest < self.mean < halfway:
            raise MismatchError(
                "mean",
                f"{self.mean:g}",
                f"more than shortest, {self.shortest:g}, and less than halfway, {halfway:g}",
                "Short intervals are the frequent ones of this distribution.",
            )


class Timed(Section):
    """What every design has."""

    units: TimeUnit = Field(
        default="seconds",
        description="What intervals, lengths, onsets, lead_in and lead_out count: seconds, or volumes of tr_s. "
        "Keys that end in _s are seconds always.",
    )
    lead_in: NotNegative = Field(default=0.0, description="Without events, from the first stored volume on.")
    lead_out: float | None = Field(
        default=None,
        ge=0,
        description="Without events, after the last one; null: to the end of the last volume.",
    )


class Choice(Timed):
    """What every design has that draws its own order of images."""

    images_per_condition: int | None = Field(
        default=None,
        ge=1,
        description="So many images of each condition in a run, in turn from run to run; null: all.",
    )


class EventRelated(Choice):
    """Single images with intervals between them."""

    kind: Literal["event_related"] = Field(description="Single images with intervals between them.")
    image_s: Positive = Field(default=1.0, description="How long each image is on.")
    repeats: int = Field(default=1, ge=1, description="How often each image is shown in a run.")
    isi: Interval = Field(
        default_factory=lambda: Interval(draw="fixed", mean=2.0),
        description="From the end of an image to the onset of the next.",
    )
    onset_grid: float | None = Field(
        default=None,
        gt=0,
        description="Onsets are put off to the next multiple of this; 1 with units volumes: on volumes only.",
    )
    null_share: float = Field(
        default=0.0,
        ge=0,
        lt=0.9,
        description="Share of null events among all: nothing is shown for image_s, and the interval follows.",
    )
    order: Literal["random", "rounds"] = Field(
        default="random",
        description="random: all shuffled. rounds: each image once before any comes again.",
    )
    max_same: int | None = Field(
        default=None, ge=1, description="At most so many of one condition in a row; null: no limit."
    )
    image_twice: bool = Field(
        default=False,
        description="Whether an image may follow itself by chance (a one-back task adds its own).",
    )


class Block(Choice):
    """Images of one condition in a row, then rest."""

    kind: Literal["block"] = Field(description="Blocks of one condition with rest between them.")
    block: Positive = Field(default=16.0, description="Length of a block.")
    rest: NotNegative = Field(default=16.0, description="Length of the rest before each block.")
    rest_at_end: bool = Field(default=True, description="Rest after the last block, too.")
    blocks: int = Field(default=4, ge=1, description="Blocks of each condition in a run.")
    image_s: Positive = Field(default=0.8, description="How long each image is on.")
    gap_s: NotNegative = Field(default=0.2, description="Background between the images of a block.")
    order: Literal["rounds", "random", "mirrored", "given"] = Field(
        default="rounds",
        description="Of the blocks. rounds: each condition once, drawn anew each time. mirrored: as the "
        "protocol lists them, then backwards, and so on. random: all shuffled.",
    )
    given: tuple[str, ...] = Field(
        default=(), description="order given: the condition of each block; `blocks` is not used."
    )

    @model_validator(mode="after")
    def _order_complete(self) -> Block:
        if (self.order == "given") != bool(self.given):
            found = "none" if not self.given else f"a list, while order is '{self.order}'"
            expected = "the condition of each block" if not self.given else "none"
            raise MismatchError("given", found, expected, "" if not self.given else "Set order to given.")
        return self


class Localiser(Choice):
    """A slow visual localiser: blocks of categories, an image or two a second, with rest."""

    kind: Literal["localiser"] = Field(description="Blocks of categories at a slow, steady rate, with rest.")
    block: Positive = Field(default=16.0, description="Length of a block.")
    rest: NotNegative = Field(default=16.0, description="Rest before each round of blocks, and at the end.")
    rounds: int = Field(default=4, ge=1, description="Each category has one block in each round.")
    rate_hz: float = Field(default=1.0, gt=0, le=4, description="Images in a second.")
    on_share: float = Field(
        default=0.8, gt=0, le=1, description="Share of each image's time for which it is on."
    )


class Sparse(Choice):
    """Images in the silence between acquisitions."""

    kind: Literal["sparse"] = Field(
        description="Images in the silent gap of the TR; needs scanner.acquisition_s."
    )
    image_s: Positive = Field(default=0.5, description="How long each image is on.")
    repeats: int = Field(default=1, ge=1, description="How often each image is shown in a run.")
    every: int = Field(default=1, ge=1, description="One event in so many volumes.")
    images_per_event: int = Field(
        default=1, ge=1, description="Different images of one condition, one after the other, in one gap."
    )
    gap_s: NotNegative = Field(default=0.0, description="Background between the images of one event.")
    delay_s: NotNegative = Field(default=0.0, description="From the start of the silence to the onset.")
    jitter_s: NotNegative = Field(default=0.0, description="Further delay, drawn between 0 and this.")
    null_share: float = Field(default=0.0, ge=0, lt=0.9, description="Share of null events among all.")
    max_same: int | None = Field(
        default=None, ge=1, description="At most so many events of one condition in a row; null: no limit."
    )

    @property
    def event_s(self) -> float:
        """How long the images of one event take."""
        return self.images_per_event * self.image_s + (self.images_per_event - 1) * self.gap_s


class Rows(Section):
    """Picks rows of a table by the value of one column."""

    column: str = Field(min_length=1, description="Name of the column.")
    values: tuple[str, ...] = Field(min_length=1, description="Rows with one of these, as text.")


class Events(Timed):
    """A table of events is the plan itself."""

    kind: Literal["events"] = Field(description="A BIDS events.tsv, shown again as it says.")
    file: Path | None = Field(
        default=None,
        description="The table, tab-separated; relative to the protocol file. May be given for each run instead.",
    )
    onset_column: str = Field(default="onset", min_length=1, description="When, in the design's units.")
    duration_column: str = Field(default="duration", min_length=1, description="How long, in seconds.")
    type_column: str = Field(
        default="trial_type", min_length=1, description="The condition. Without that column: 'image'."
    )
    stimulus_column: str = Field(
        default="stim_file", min_length=1, description="The image's file, seen from `folder`."
    )
    keep_columns: tuple[str, ...] = Field(
        default=(), description="Columns to carry over into the events file of this session."
    )
    only: Rows | None = Field(default=None, description="Only these rows; null: all.")
    skip: Rows | None = Field(default=None, description="Not these rows.")
    null_types: tuple[str, ...] = Field(
        default=(), description="trial_types that are null events, whatever image they name."
    )
    folder: Path | None = Field(
        default=None,
        description="Where the images lie; relative to the protocol file. null: beside their table.",
    )
    missing: Literal["error", "placeholder"] = Field(
        default="error", description="An image that is not there: refuse, or show a pattern in its place."
    )
    image_s: Positive = Field(default=1.0, description="How long an image is on whose duration is n/a or 0.")


Design: TypeAlias = Annotated[EventRelated | Block | Localiser | Sparse | Events, Field(discriminator="kind")]
