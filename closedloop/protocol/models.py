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
Pixel = Annotated[int, Field(ge=1)]


class MismatchError(ValueError):
    """Values that are each allowed, but do not fit together.

    Args:
        key: which key of the section (or, as a path, below it) to change.
        found: what was found there.
        expected: what was expected instead.
        remedy: what to do about it; may be empty where it is plain.
    """

    def __init__(self, key: str | tuple[str | int, ...], found: str, expected: str, remedy: str = "") -> None:
        self.key = (key,) if isinstance(key, str) else key
        self.found = found
        self.expected = expected
        self.remedy = remedy
        super().__init__(f"{'.'.join(map(str, self.key))}: found {found}; expected {expected}")


class Section(BaseModel):
    """A part of the protocol: unknown keys are errors, and nothing changes once read."""

    model_config = ConfigDict(extra="forbid", frozen=True, allow_inf_nan=False)


class Subject(Section):
    """Who is recorded."""

    id: str = Field(
        pattern=r"^[A-Za-z0-9]+$", description="Letters and digits only: it becomes part of file names."
    )
    species: str = Field(default="", description="For example 'Macaca mulatta'.")
    age: str = Field(
        default="",
        pattern=r"^$|^P([0-9]+(\.[0-9]+)?[YMWD])+$",
        description="ISO 8601 duration, for example 'P9Y'.",
    )
    sex: Literal["", "F", "M", "U", "O"] = Field(default="", description="F, M, U (unknown) or O (other).")
    notes: str = Field(default="", description="Anything about the subject that belongs with the data.")


class Corner(str, Enum):
    """A corner of the window."""

    TOP_LEFT = "top-left"
    TOP_RIGHT = "top-right"
    BOTTOM_LEFT = "bottom-left"
    BOTTOM_RIGHT = "bottom-right"


class Photodiode(Section):
    """The patch in a corner that is bright while an image is on."""

    corner: Corner = Field(default=Corner.BOTTOM_LEFT, description="Corner of the window.")
    size_px: int = Field(default=40, ge=2, description="Side of the square in pixels.")
    bright: Grey = Field(default=1.0, description="Level while an image is on, -1 (black) to 1 (white).")
    dark: Grey = Field(default=-1.0, description="Level otherwise.")

    @model_validator(mode="after")
    def _seen(self) -> Photodiode:
        if self.bright == self.dark:
            raise MismatchError(
                "bright", f"the level {self.bright:g} for both bright and dark", "two levels that differ"
            )
        return self


class Display(Section):
    """Screen and window."""

    screen: int = Field(default=0, ge=0, description="Number of the screen, from 0.")
    size_px: tuple[Pixel, Pixel] = Field(default=(1024, 768), description="Width and height of the window.")
    full_screen: bool = Field(default=False, description="Take the whole screen; a rig wants true.")
    width_cm: Positive = Field(default=40.0, description="Width of the visible picture, for degrees.")
    distance_cm: Positive = Field(default=57.0, description="From eye to screen, for degrees.")
    refresh_hz: Positive = Field(
        default=60.0, description="Expected refresh; the measured one must agree within refresh_tolerance."
    )
    refresh_tolerance: float = Field(
        default=0.02, gt=0, lt=0.5, description="Allowed relative difference of the refresh."
    )
    background: Grey = Field(default=0.0, description="Grey level, -1 (black) to 1 (white).")
    monitor: str = Field(
        default="",
        description="Name of a PsychoPy Monitor with its gamma; empty: linear, from width and distance.",
    )
    gamma: float | None = Field(
        default=None, gt=0, description="Gamma to correct for; none: leave as the monitor says."
    )
    photodiode: Photodiode | None = Field(default_factory=Photodiode, description="null: no patch.")


class Fixation(Section):
    """The fixation point."""

    size_deg: Positive = Field(default=0.2, description="Diameter.")
    color: tuple[Grey, Grey, Grey] = Field(default=(1.0, -1.0, -1.0), description="RGB, each -1 to 1.")


class Presentation(Section):
    """How images follow each other."""

    on_ms: Positive = Field(default=100.0, description="Time an image is on.")
    off_ms: NotNegative = Field(default=100.0, description="Background after each image.")
    images_per_trial: int = Field(
        default=1, ge=1, description="Images shown in a row before the inter-trial interval."
    )
    inter_trial_interval_ms: NotNegative = Field(
        default=0.0, description="Further background after images_per_trial images."
    )
    fixation: Fixation | None = Field(default_factory=Fixation, description="null: no fixation point.")


class GeneratorSpec(Section):
    """The image generator of a thread."""

    name: str = Field(default="dcgan", description="A registered generator; see docs/generators.md.")
    weights: str | None = Field(
        default=None,
        description="Model id of `closedloop models list`, or path of a weight file; null: the generator's own.",
    )
    sha256: str | None = Field(
        default=None, pattern=r"^[0-9a-f]{64}$", description="Required for a path: its SHA-256."
    )
    device: str = Field(default="auto", description="auto, cpu, cuda or cuda:N.")
    parameters: dict[str, Any] = Field(default_factory=dict, description="Passed to the generator.")


class OptimizerSpec(Section):
    """The optimizer of a thread."""

    name: str = Field(default="genetic", description="A registered optimizer; see docs/optimizers.md.")
    preset: str | None = Field(
        default=None, description="Named parameters to start from, for example xdream or in-vivo."
    )
    parameters: dict[str, Any] = Field(
        default_factory=dict, description="Override single parameters of the preset."
    )
    initial_codes: Path | None = Field(
        default=None, description=".npy file of codes (n, d) for the first generation."
    )


class Units(Section):
    """Which units count, and how they become one number."""

    combine: Literal["one", "mean", "weights"] = Field(
        default="one", description="One unit, their mean, or a weighted sum."
    )
    units: tuple[Annotated[int, Field(ge=0)], ...] = Field(
        default=(0,), min_length=1, description="Channel or unit numbers, from 0."
    )
    weights: tuple[float, ...] | None = Field(
        default=None, description="One for each unit, for combine: weights."
    )

    @model_validator(mode="after")
    def _weights_fit(self) -> Units:
        if self.combine == "one" and len(self.units) != 1:
            raise MismatchError(
                "units",
                f"{len(self.units)} units",
                "exactly one, as combine is 'one'",
                "Name one, or set combine to mean.",
            )
        if self.combine == "weights" and (self.weights is None or len(self.weights) != len(self.units)):
            found = "no weights" if self.weights is None else f"{len(self.weights)} weights"
            raise MismatchError(
                "weights", found, f"{len(self.units)}, one for each unit, as combine is 'weights'"
            )
        if self.combine != "weights" and self.weights is not None:
            raise MismatchError(
                "weights",
                f"weights, while combine is '{self.combine}'",
                "none",
                "Set combine to weights, or remove them.",
            )
        if len(set(self.units)) != len(self.units):
            raise MismatchError("units", "a unit named twice", "each unit once")
        if self.weights is not None and not any(self.weights):
            raise MismatchError("weights", "nothing but zeros", "at least one weight that is not 0")
        return self


class Thread(Section):
    """One evolution. Several run interleaved, trial by trial."""

    name: str = Field(
        default="evolution", pattern=r"^[A-Za-z0-9_-]+$", description="Used in tables and file names."
    )
    generator: GeneratorSpec = Field(default_factory=GeneratorSpec, description="Makes images of codes.")
    optimizer: OptimizerSpec = Field(default_factory=OptimizerSpec, description="Breeds the next codes.")
    units: Units = Field(default_factory=Units, description="Whose responses are the scores.")
    position_deg: tuple[float, float] = Field(
        default=(0.0, 0.0), description="Centre of the image: right of, above fixation."
    )
    size_deg: Positive = Field(default=3.0, description="Side of the image.")


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
        if not self.end_ms > self.start_ms:
            raise MismatchError(
                "end_ms",
                f"an end at {self.end_ms:g} ms",
                f"one after the window's start at {self.start_ms:g} ms",
            )
        return self


class Liveness(Section):
    """Ages of the newest sample at which a stream is doubted."""

    late_after_ms: Positive = Field(default=150.0, description="Older: LATE, and no further trial is shown.")
    lost_after_ms: Positive = Field(default=400.0, description="Older: LOST.")
    recover_ms: NotNegative = Field(default=300.0, description="Must flow again this long before it is LIVE.")
    max_silence_ms: Positive = Field(
        default=500.0, description="Kind spikes: longest silence that still counts as no spikes."
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


class Lsl(Section):
    """The rig's own corner of the lab streaming layer, so that no stranger is heard."""

    session_id: str | None = Field(
        None,
        pattern=r"^[A-Za-z0-9._:-]{1,128}$",
        description="LSL session id: only programs with the same one hear each other. null: as LSLAPICFG says, if anything.",
    )
    scope: Literal["machine", "link", "site"] = Field(
        "link",
        description="With a session_id: how far streams are looked for: this machine, this network segment, the site.",
    )
    known_peers: tuple[str, ...] = Field(
        (), description="With a session_id: hosts asked directly, where multicast is blocked."
    )


class Output(Section):
    """What is written besides the session file."""

    folder: Path = Field(default=Path("sessions"), description="Session folders are made in here.")
    experiment: str = Field(
        default="evolution", pattern=r"^[A-Za-z0-9]+$", description="Part of the folder's name; BIDS task."
    )
    report: bool = Field(default=True, description="Write report.html at the end.")
    tables: bool = Field(default=True, description="Write tables/*.parquet and events.tsv at the end.")
    images: bool = Field(default=True, description="Write images/*.png at the end.")


class Protocol(Section):
    """A whole protocol file."""

    version: Literal[1] = Field(default=1, description="Of the protocol format.")
    kind: Literal["evolution"] = Field(default="evolution", description="What is run.")
    subject: Subject = Field(description="Who is recorded.")
    notes: str = Field(default="", description="Free text, kept with the session.")
    seed: int = Field(ge=0, lt=2**63, description="All random draws come from it.")
    display: Display = Field(default_factory=Display, description="Screen and window.")
    presentation: Presentation = Field(
        default_factory=Presentation, description="How images follow each other."
    )
    threads: tuple[Thread, ...] = Field(min_length=1, description="The evolutions, one or more.")
    response: Response = Field(description="How the answer to an image is measured.")
    references: References = Field(
        default_factory=lambda: References(per_generation=0),
        description="Images that do not evolve; none if left out.",
    )
    limits: Limits = Field(default_factory=Limits, description="Where the session ends at the latest.")
    stop: tuple[StopRule, ...] = Field(
        default=(), description="What ends it earlier; the first rule that holds."
    )
    output: Output = Field(default_factory=Output, description="What is written besides the session file.")

    @model_validator(mode="after")
    def _consistent(self) -> Protocol:
        names = [thread.name for thread in self.threads]
        if len(set(names)) != len(names):
            twice = next(i for i, name in enumerate(names) if name in names[:i])
            raise MismatchError(
                ("threads", twice, "name"), f"'{names[twice]}' for a second time", "a name for each thread"
            )
        if self.response.normalise != "off" and not self.references.per_generation:
            raise MismatchError(
                ("response", "normalise"),
                f"'{self.response.normalise}' without references",
                "references.per_generation above 0",
                "Add references, or set normalise to off.",
            )
        return self
