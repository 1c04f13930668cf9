"""How the answer to an image is measured where it comes from a scanner: a sample for each volume."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Literal

from pydantic import Field, model_validator

from closedloop.protocol.sections.base import MismatchError, NotNegative, Positive, Section

# The blood's answer to a short image is at its largest about 5 s after it.
DELAY_BEGINS_S, DELAY_ENDS_S = 4.0, 6.0

SPIKES_UNIT = "spikes/s"
PERCENT_UNIT = "% signal change"
PIPELINE_UNIT = "the pipeline's units"


def unit_of_responses(protocol: Mapping[str, Any]) -> str:
    """Return what the responses of a session are measured in.

    Args:
        protocol: as it stands in the session, with or without what a later version asks for.
    """
    volumes = (protocol.get("response") or {}).get("volumes")
    if not volumes:
        return SPIKES_UNIT
    return PERCENT_UNIT if volumes.get("percent_signal_change") else PIPELINE_UNIT


class VolumeSpan(Section):
    """A window after onset, counted in volumes; fractions are allowed."""

    start: float = Field(description="Volumes after onset; may be negative.")
    end: float = Field(description="Volumes after onset; at least one after the start.")

    @model_validator(mode="after")
    def _holds_a_volume(self) -> VolumeSpan:
        if not self.end >= self.start + 1:
            raise MismatchError(
                "end",
                f"{self.end:g} volumes",
                f"at least one volume after the window's start at {self.start:g}",
                "A shorter window would measure nothing that one of a volume does not.",
            )
        return self


class Volumes(Section):
    """The responses are a region's signal out of a real-time fMRI pipeline (docs/closed-loop-fmri.md)."""

    tr_s: Positive = Field(
        description="Time from one volume to the next; kind rates: the stream's rate is 1 / tr_s."
    )
    window: VolumeSpan | None = Field(
        default=None,
        description="Takes the place of response.window; 4 to 6 s after onset, and a volume at least, if left out.",
    )
    baseline: VolumeSpan | None = Field(
        default=None, description="Takes the place of response.baseline; null: none."
    )
    percent_signal_change: bool = Field(
        default=False,
        description="The response is its difference from the baseline, in percent of the baseline.",
    )
    stamped: Literal["end", "start"] = Field(
        default="end", description="Kind rates: which end of its volume a sample's stamp is the time of."
    )
    delay_s: NotNegative = Field(
        default=3.0,
        description="Within this time after the end of its volume a sample is here, as a rule; waiting and liveness allow for it.",
    )
    overlap: Literal["refuse", "allow"] = Field(
        default="refuse", description="Trials that follow each other faster than the window can tell apart."
    )
    speed: Positive = Field(
        default=1.0,
        description="Above 1 only to try a session on a simulated region that is so many times faster than a brain.",
    )

    @model_validator(mode="after")
    def _has_its_baseline(self) -> Volumes:
        if self.percent_signal_change and self.baseline is None:
            raise MismatchError(
                "percent_signal_change",
                "true without a baseline",
                "a baseline, of which it is a percentage",
                "For example baseline: {start: -0.5, end: 0.5}",
            )
        return self

    @property
    def window_in_use(self) -> VolumeSpan:
        """The response window, with its default filled in."""
        if self.window is not None:
            return self.window
        in_volumes = 1 / (self.tr_s * self.speed)
        start = DELAY_BEGINS_S * in_volumes
        return VolumeSpan(start=start, end=max(DELAY_ENDS_S * in_volumes, start + 1))
