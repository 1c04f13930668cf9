"""How the subject's answer to an image is measured."""

from __future__ import annotations

from typing import Literal

from pydantic import Field, model_validator

from closedloop.protocol.sections.base import MismatchError, NotNegative, Positive, Section

# In a shorter window one spike is a rate beyond anything that a neuron does.
SHORTEST_WINDOW_MS = 1.0


class StreamSelection(Section):
    """Picks one LSL stream; every key given must fit, and exactly one stream may."""

    name: str | None = Field(default=None, description="Stream name.")
    type: str | None = Field(default=None, description="Stream type.")
    source_id: str | None = Field(
        default=None, description="Source id; pin this at a rig, so that no stranger is heard."
    )

    @model_validator(mode="after")
    def _selects(self) -> StreamSelection:
        if self.name is None and self.type is None and self.source_id is None:
            raise MismatchError(
                (),
                "neither name, type nor source_id",
                "at least one of them",
                "Pin the source_id; `closedloop streams` shows it.",
            )
        return self


class WindowMs(Section):
    """A window of time after onset."""

    start_ms: float = Field(description="After onset; may be negative.")
    end_ms: float = Field(description="After onset.")

    @model_validator(mode="after")
    def _ordered(self) -> WindowMs:
        if not self.end_ms >= self.start_ms + SHORTEST_WINDOW_MS:
            raise MismatchError(
                "end_ms",
                f"an end at {self.end_ms:g} ms",
                f"one at least {SHORTEST_WINDOW_MS:g} ms after the window's start at {self.start_ms:g} ms",
            )
        return self


class Liveness(Section):
    """Ages of the newest sample at which a stream is doubted."""

    late_after_ms: Positive = Field(default=150.0, description="Older: LATE, and no further trial is shown.")
    lost_after_ms: Positive = Field(default=400.0, description="Older: LOST.")
    recover_ms: NotNegative = Field(default=300.0, description="Must flow again this long before it is LIVE.")
    max_silence_ms: Positive = Field(
        default=300.0, description="Kind spikes: longest silence that still counts as no spikes."
    )

    @model_validator(mode="after")
    def _ordered(self) -> Liveness:
        if not self.lost_after_ms > self.late_after_ms:
            raise MismatchError(
                "lost_after_ms",
                f"{self.lost_after_ms:g} ms",
                f"more than late_after_ms, {self.late_after_ms:g} ms",
            )
        return self


class Artefact(Section):
    """Limits beyond which a response is not believed."""

    max_rate_hz: float | None = Field(default=None, gt=0, description="Of any counted unit, in the window.")


class Response(Section):
    """How the subject's answer to an image is measured."""

    stream: StreamSelection = Field(description="Which LSL stream the responses come from.")
    kind: Literal["rates", "counts", "spikes", "trials"] = Field(
        description="What the samples mean; see docs/lsl.md."
    )
    expected_channels: int | None = Field(
        default=None, ge=1, description="Refuse a stream with another number of channels."
    )
    expected_rate_hz: float | None = Field(
        default=None, gt=0, description="Refuse a stream with another nominal rate."
    )
    unit_count: int | None = Field(
        default=None, ge=1, description="Kind spikes: number of units; an index at or above it is an error."
    )
    window: WindowMs = Field(
        default_factory=lambda: WindowMs(start_ms=50, end_ms=200),
        description="In which spikes are counted or rates averaged; 50 to 200 ms if left out.",
    )
    baseline: WindowMs | None = Field(
        default_factory=lambda: WindowMs(start_ms=0, end_ms=45),
        description="0 to 45 ms if left out; null: none.",
    )
    subtract_baseline: bool = Field(default=False, description="Response minus baseline.")
    repeats: int = Field(default=1, ge=1, description="Valid trials per image and generation, averaged.")
    normalise: Literal["off", "subtract", "divide"] = Field(
        default="off", description="By this generation's references."
    )
    artefact: Artefact = Field(default_factory=Artefact, description="Beyond it a trial is invalid.")
    liveness: Liveness = Field(default_factory=Liveness, description="When a stream is doubted.")
    wait_ms: Positive = Field(
        default=2000.0, description="How long after the window its samples may come; later: invalid."
    )
    fixation_stream: StreamSelection | None = Field(
        default=None, description="1 fixating, 0 not; a break makes the trial invalid."
    )

    @model_validator(mode="after")
    def _baseline_before(self) -> Response:
        if self.subtract_baseline and self.baseline is None:
            raise MismatchError(
                "subtract_baseline",
                "true without a baseline window",
                "a baseline to subtract",
                "Give a baseline, or set it to false.",
            )
        return self
