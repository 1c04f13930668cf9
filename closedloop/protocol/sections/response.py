"""How the subject's answer to an image is measured."""

from __future__ import annotations

from typing import Literal

from pydantic import Field, model_validator

from closedloop.protocol.sections.base import MismatchError, NotNegative, Positive, Section
from closedloop.protocol.sections.volumes import (
    PERCENT_UNIT,
    PIPELINE_UNIT,
    SPIKES_UNIT,
    Volumes,
    VolumeSpan,
)

# In a shorter window one spike is a rate beyond anything that a neuron does.
SHORTEST_WINDOW_MS = 1.0
# A stream of one sample a volume is doubted when this many volumes are missing, and lost after as many more.
MISSING_VOLUMES = 2.5
RATE_TOLERANCE = 1e-3  # relative


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


_USUAL_WINDOW = WindowMs(start_ms=50, end_ms=200)
_USUAL_BASELINE = WindowMs(start_ms=0, end_ms=45)


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
        default_factory=lambda: _USUAL_WINDOW,
        description="In which spikes are counted or rates averaged; 50 to 200 ms if left out.",
    )
    baseline: WindowMs | None = Field(
        default_factory=lambda: _USUAL_BASELINE,
        description="0 to 45 ms if left out; null: none.",
    )
    volumes: Volumes | None = Field(
        default=None,
        description="For an evolution in the scanner: windows in volumes, in place of window and baseline.",
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
    def _consistent(self) -> Response:
        if self.volumes is not None:
            self._fits_volumes(self.volumes)
        if self.subtract_baseline and self.baseline_in_use is None:
            raise MismatchError(
                "subtract_baseline",
                "true without a baseline window",
                "a baseline to subtract",
                "Give a baseline, or set it to false.",
            )
        return self

    def _fits_volumes(self, volumes: Volumes) -> None:
        if self.kind not in ("rates", "trials"):
            raise MismatchError(
                "kind",
                f"'{self.kind}' with volumes",
                "rates (a sample for each volume) or trials (one for each trial)",
                "Choose one, or remove volumes.",
            )
        windows = (("window", self.window, _USUAL_WINDOW), ("baseline", self.baseline, _USUAL_BASELINE))
        for key, found, usual in windows:
            # the usual ones stand there when nothing was given
            if found is not None and found != usual:
                raise MismatchError(
                    key,
                    f"{found.start_ms:g} to {found.end_ms:g} ms beside volumes",
                    f"it in volumes only, as volumes.{key}",
                    "Move it there.",
                )
        if self.kind == "trials" and volumes.baseline is not None:
            raise MismatchError(
                ("volumes", "baseline"),
                "a baseline for kind 'trials'",
                "none, as the sender measures the responses",
                "Let the sender take its baseline into account.",
            )
        rate_hz = self.expected_rate_hz
        if rate_hz is not None and abs(rate_hz * volumes.tr_s - 1) > RATE_TOLERANCE:
            raise MismatchError(
                "expected_rate_hz",
                f"{rate_hz:g} Hz",
                f"1 / volumes.tr_s, {1 / volumes.tr_s:g} Hz",
                "Leave it out: it follows from the TR.",
            )

    @property
    def sample_unit(self) -> str:
        """What the samples of the stream are measured in."""
        return SPIKES_UNIT if self.volumes is None else PIPELINE_UNIT

    @property
    def unit(self) -> str:
        """What responses are measured in."""
        percent = self.volumes is not None and self.volumes.percent_signal_change
        return PERCENT_UNIT if percent else self.sample_unit

    @property
    def window_in_use(self) -> WindowMs:
        """The response window, in ms, whether it was given so or in volumes."""
        return self.window if self.volumes is None else _in_ms(self.volumes.window_in_use, self.volumes)

    @property
    def baseline_in_use(self) -> WindowMs | None:
        """The baseline window, in ms; None if there is none."""
        if self.volumes is None:
            return self.baseline
        return None if self.volumes.baseline is None else _in_ms(self.volumes.baseline, self.volumes)

    @property
    def rate_in_use_hz(self) -> float | None:
        """The nominal rate that the stream must have; None for any."""
        if self.expected_rate_hz is None and self.volumes is not None and self.kind == "rates":
            return 1 / self.volumes.tr_s
        return self.expected_rate_hz

    @property
    def liveness_in_use(self) -> Liveness:
        """The ages at which the response stream is doubted; in the scanner they follow TR, delay and stamps."""
        if self.volumes is None:
            return self.liveness
        missing_ms = 1000 * MISSING_VOLUMES * self.volumes.tr_s
        late_ms = max(self.liveness.late_after_ms, missing_ms) + 1000 * self.volumes.delay_s
        if self.kind == "rates" and self.volumes.stamped == "start":
            # age counts from the stamp, which is a TR older than the end that delay_s counts from
            late_ms += 1000 * self.volumes.tr_s
        further_ms = max(self.liveness.lost_after_ms - self.liveness.late_after_ms, missing_ms)
        return self.liveness.model_copy(
            update={"late_after_ms": late_ms, "lost_after_ms": late_ms + further_ms}
        )

    @property
    def wait_in_use_s(self) -> float:
        """How long after a trial's windows its samples may come."""
        if self.volumes is None:
            return self.wait_ms / 1000
        # the last volume that a window shares may end a TR after it
        return self.wait_ms / 1000 + self.volumes.delay_s + self.volumes.tr_s


def _in_ms(span: VolumeSpan, volumes: Volumes) -> WindowMs:
    in_ms = 1000 * volumes.tr_s
    return WindowMs(start_ms=span.start * in_ms, end_ms=span.end * in_ms)
