"""What a session is to do, as data. One model for each section of the protocol file.

Durations are in milliseconds and lengths in degrees here, as people write them; the loop uses seconds
and frames (see ``closedloop.protocol.frames``).
"""

from __future__ import annotations

from enum import Enum
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, model_validator

Positive = Annotated[float, Field(gt=0)]
NotNegative = Annotated[float, Field(ge=0)]
Grey = Annotated[float, Field(ge=-1, le=1)]


class Section(BaseModel):
    """A part of the protocol: unknown keys are errors, and nothing changes once read."""

    model_config = ConfigDict(extra="forbid", frozen=True)


class Subject(Section):
    """Who is recorded."""

    id: str = Field(pattern=r"^[A-Za-z0-9]+$", description="Letters and digits only: it becomes part of file names.")
    species: str = Field("", description="For example 'Macaca mulatta'.")
    age: str = Field("", description="ISO 8601 duration, for example 'P9Y'.")
    sex: Literal["", "F", "M", "U", "O"] = Field("", description="F, M, U (unknown) or O (other).")
    notes: str = Field("", description="Anything about the subject that belongs with the data.")


class Corner(str, Enum):
    """A corner of the window."""

    TOP_LEFT = "top-left"
    TOP_RIGHT = "top-right"
    BOTTOM_LEFT = "bottom-left"
    BOTTOM_RIGHT = "bottom-right"


class Photodiode(Section):
    """The patch in a corner that is bright while an image is on."""

    corner: Corner = Field(Corner.BOTTOM_LEFT, description="Corner of the window.")
    size_px: int = Field(40, ge=2, description="Side of the square in pixels.")
    bright: Grey = Field(1.0, description="Level while an image is on, -1 (black) to 1 (white).")
    dark: Grey = Field(-1.0, description="Level otherwise.")


class Display(Section):
    """Screen and window."""

    screen: int = Field(0, ge=0, description="Number of the screen, from 0.")
    size_px: tuple[int, int] = Field((1024, 768), description="Width and height of the window.")
    full_screen: bool = Field(False, description="Take the whole screen; a rig wants true.")
    width_cm: Positive = Field(40.0, description="Width of the visible picture, for degrees.")
    distance_cm: Positive = Field(57.0, description="From eye to screen, for degrees.")
    refresh_hz: Positive = Field(60.0, description="Expected refresh; the measured one must agree within refresh_tolerance.")
    refresh_tolerance: float = Field(0.02, gt=0, lt=0.5, description="Allowed relative difference of the refresh.")
    background: Grey = Field(0.0, description="Grey level, -1 (black) to 1 (white).")
    monitor: str = Field("", description="Name of a PsychoPy Monitor with its gamma; empty: linear, from width and distance.")
    gamma: float | None = Field(None, gt=0, description="Gamma to correct for; none: leave as the monitor says.")
    photodiode: Photodiode | None = Field(default_factory=Photodiode, description="null: no patch.")


class Fixation(Section):
    """The fixation point."""

    size_deg: Positive = Field(0.2, description="Diameter.")
    color: tuple[Grey, Grey, Grey] = Field((1.0, -1.0, -1.0), description="RGB, each -1 to 1.")


class Presentation(Section):
    """How images follow each other."""

    on_ms: Positive = Field(100.0, description="Time an image is on.")
    off_ms: NotNegative = Field(100.0, description="Background after each image.")
    images_per_trial: int = Field(1, ge=1, description="Images shown in a row before the inter-trial interval.")
    inter_trial_interval_ms: NotNegative = Field(0.0, description="Further background after images_per_trial images.")
    fixation: Fixation | None = Field(default_factory=Fixation, description="null: no fixation point.")


class GeneratorSpec(Section):
    """The image generator of a thread."""

    name: str = Field("dcgan", description="A registered generator; see docs/generators.md.")
    weights: str | None = Field("dcgan-faces", description="Model id of `closedloop models list`, or path of a weight file.")
    sha256: str | None = Field(None, pattern=r"^[0-9a-f]{64}$", description="Required for a path: its SHA-256.")
    device: str = Field("auto", description="auto, cpu, cuda or cuda:N.")
    parameters: dict[str, Any] = Field(default_factory=dict, description="Passed to the generator.")


class OptimizerSpec(Section):
    """The optimizer of a thread."""

    name: str = Field("genetic", description="A registered optimizer; see docs/optimizers.md.")
    preset: str | None = Field(None, description="Named parameters to start from, for example xdream or in-vivo.")
    parameters: dict[str, Any] = Field(default_factory=dict, description="Override single parameters of the preset.")
    initial_codes: Path | None = Field(None, description=".npy file of codes (n, d) for the first generation.")


class Units(Section):
    """Which units count, and how they become one number."""

    combine: Literal["one", "mean", "weights"] = Field("one", description="One unit, their mean, or a weighted sum.")
    units: tuple[Annotated[int, Field(ge=0)], ...] = Field((0,), min_length=1, description="Channel or unit numbers, from 0.")
    weights: tuple[float, ...] | None = Field(None, description="One for each unit, for combine: weights.")

    @model_validator(mode="after")
    def _weights_fit(self) -> Units:
        if self.combine == "one" and len(self.units) != 1:
            raise ValueError(f"combine 'one' takes exactly one unit, {len(self.units)} given")
        if self.combine == "weights" and (self.weights is None or len(self.weights) != len(self.units)):
            raise ValueError("combine 'weights' needs as many weights as units")
        if self.combine != "weights" and self.weights is not None:
            raise ValueError("weights are given, but combine is not 'weights'")
        if len(set(self.units)) != len(self.units):
            raise ValueError("a unit is named twice")
        return self


class Thread(Section):
    """One evolution. Several run interleaved, trial by trial."""

    name: str = Field("evolution", pattern=r"^[A-Za-z0-9_-]+$", description="Used in tables and file names.")
    generator: GeneratorSpec = Field(default_factory=GeneratorSpec)
    optimizer: OptimizerSpec = Field(default_factory=OptimizerSpec)
    units: Units = Field(default_factory=Units)
    position_deg: tuple[float, float] = Field((0.0, 0.0), description="Centre of the image: right of, above fixation.")
    size_deg: Positive = Field(3.0, description="Side of the image.")


class StreamSelection(Section):
    """Picks one LSL stream; every key given must fit, and exactly one stream may."""

    name: str | None = Field(None, description="Stream name.")
    type: str | None = Field(None, description="Stream type.")
    source_id: str | None = Field(None, description="Source id; pin this at a rig, so that no stranger is heard.")

    @model_validator(mode="after")
    def _selects(self) -> StreamSelection:
        if self.name is None and self.type is None and self.source_id is None:
            raise ValueError("give at least one of name, type, source_id")
        return self


class WindowMs(Section):
    """A window of time after onset."""

    start_ms: float = Field(description="After onset; may be negative.")
    end_ms: float = Field(description="After onset.")

    @model_validator(mode="after")
    def _ordered(self) -> WindowMs:
        if not self.end_ms > self.start_ms:
            raise ValueError(f"the window ends ({self.end_ms} ms) before it starts ({self.start_ms} ms)")
        return self


class Liveness(Section):
    """Ages of the newest sample at which a stream is doubted."""

    late_after_ms: Positive = Field(150.0, description="Older: LATE, and no further trial is shown.")
    lost_after_ms: Positive = Field(400.0, description="Older: LOST.")
    recover_ms: NotNegative = Field(300.0, description="Must flow again this long before it is LIVE.")
    max_silence_ms: Positive = Field(500.0, description="Kind spikes: longest silence that still counts as no spikes.")

    @model_validator(mode="after")
    def _ordered(self) -> Liveness:
        if not self.lost_after_ms > self.late_after_ms:
            raise ValueError("lost_after_ms must be longer than late_after_ms")
        return self


class Artefact(Section):
    """Limits beyond which a response is not believed."""

    max_rate_hz: float | None = Field(None, gt=0, description="Of any counted unit, in the window.")


class Response(Section):
    """How the subject's answer to an image is measured."""

    stream: StreamSelection
    kind: Literal["rates", "counts", "spikes", "trials"] = Field(description="What the samples mean; see docs/lsl.md.")
    expected_channels: int | None = Field(None, ge=1, description="Refuse a stream with another number of channels.")
    expected_rate_hz: float | None = Field(None, gt=0, description="Refuse a stream with another nominal rate.")
    unit_count: int | None = Field(None, ge=1, description="Kind spikes: number of units; an index at or above it is an error.")
    window: WindowMs = Field(default_factory=lambda: WindowMs(start_ms=50, end_ms=200))
    baseline: WindowMs | None = Field(default_factory=lambda: WindowMs(start_ms=0, end_ms=45), description="null: none.")
    subtract_baseline: bool = Field(False, description="Response minus baseline.")
    repeats: int = Field(1, ge=1, description="Valid trials per image and generation, averaged.")
    normalise: Literal["off", "subtract", "divide"] = Field("off", description="By this generation's references.")
    artefact: Artefact = Field(default_factory=Artefact)
    liveness: Liveness = Field(default_factory=Liveness)
    wait_ms: Positive = Field(2000.0, description="How long after the window its samples may come; later: invalid.")
    fixation_stream: StreamSelection | None = Field(None, description="1 fixating, 0 not; a break makes the trial invalid.")

    @model_validator(mode="after")
    def _baseline_before(self) -> Response:
        if self.subtract_baseline and self.baseline is None:
            raise ValueError("subtract_baseline needs a baseline window")
        return self


class References(Section):
    """Images that do not evolve, shown in each generation."""

    folder: Path | None = Field(None, description="PNG, JPEG or BMP files; relative to the protocol file.")
    random_codes: int = Field(0, ge=0, description="Instead: this many codes from N(0, 1), drawn once from the seed.")
    per_generation: int = Field(10, ge=0, description="How many are shown in each generation (for each thread).")

    @model_validator(mode="after")
    def _one_source(self) -> References:
        if self.folder is not None and self.random_codes:
            raise ValueError("give either a folder or random_codes, not both")
        if self.per_generation and self.folder is None and not self.random_codes:
            raise ValueError("per_generation is above 0, but there is neither a folder nor random_codes")
        return self


class Limits(Section):
    """Where a session ends at the latest."""

    generations: int = Field(30, ge=1, description="Generations of each thread.")
    minutes: float | None = Field(None, gt=0, description="No generation starts after this time.")
    max_repeats: int = Field(10, ge=0, description="How often an invalid trial is shown again, per image and generation.")
    wait_for_stream_s: Positive = Field(20.0, description="For the stream to be found at the start.")
    give_up_stream_s: float | None = Field(None, gt=0, description="End the session when a stream stays away this long.")


class StopRule(Section):
    """Ends the evolution when it no longer rises."""

    rule: Literal["plateau", "score"] = Field(description="plateau: no rise; score: a level is reached.")
    generations: int = Field(5, ge=1, description="plateau: compared with as many before; score: held for as many.")
    min_rise: float = Field(0.0, description="plateau: smallest relative rise of the mean score that still counts.")
    score: float | None = Field(None, description="score: level of the mean score.")

    @model_validator(mode="after")
    def _complete(self) -> StopRule:
        if self.rule == "score" and self.score is None:
            raise ValueError("rule 'score' needs a score")
        return self


class Output(Section):
    """What is written besides the session file."""

    folder: Path = Field(Path("sessions"), description="Session folders are made in here.")
    experiment: str = Field("evolution", pattern=r"^[A-Za-z0-9]+$", description="Part of the folder's name; BIDS task.")
    report: bool = Field(True, description="Write report.html at the end.")
    tables: bool = Field(True, description="Write tables/*.parquet and events.tsv at the end.")
    images: bool = Field(True, description="Write images/*.png at the end.")


class Protocol(Section):
    """A whole protocol file."""

    version: Literal[1] = Field(1, description="Of the protocol format.")
    kind: Literal["evolution"] = Field("evolution", description="What is run.")
    subject: Subject
    notes: str = Field("", description="Free text, kept with the session.")
    seed: int = Field(ge=0, lt=2**63, description="All random draws come from it.")
    display: Display = Field(default_factory=Display)
    presentation: Presentation = Field(default_factory=Presentation)
    threads: tuple[Thread, ...] = Field(min_length=1)
    response: Response
    references: References = Field(default_factory=lambda: References(per_generation=0))
    limits: Limits = Field(default_factory=Limits)
    stop: tuple[StopRule, ...] = Field(())
    output: Output = Field(default_factory=Output)

    @model_validator(mode="after")
    def _consistent(self) -> Protocol:
        names = [thread.name for thread in self.threads]
        if len(set(names)) != len(names):
            raise ValueError(f"two threads have the same name: {', '.join(names)}")
        if self.response.normalise != "off" and not self.references.per_generation:
            raise ValueError("response.normalise needs references (references.per_generation is 0)")
        return self
