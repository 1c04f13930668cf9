"""The scanner, its trigger, and what to do when its pulses are not as they should be."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field, model_validator

from closedloop.protocol.sections.base import MismatchError, NotNegative, Positive, Section
from closedloop.protocol.sections.response import StreamSelection
from closedloop.protocol.sections.scan_simulation import Simulation

Action = Literal["note", "warn", "pause", "abort"]


class Trigger(Section):
    """The path by which pulses come in."""

    path: Literal["keyboard", "serial", "parallel", "lsl"] = Field(
        default="keyboard", description="How the scanner's pulses reach this machine."
    )
    key: str = Field(default="5", min_length=1, description="keyboard: the key that the scanner types.")
    port: str | None = Field(
        default=None,
        description="serial: the device, /dev/ttyUSB0 or COM3. parallel: /dev/parport0.",
    )
    baud: int = Field(default=115200, ge=50, description="serial: speed.")
    byte: Annotated[int, Field(ge=0, le=255)] | None = Field(
        default=None, description="serial: the byte that is a pulse; null: any byte."
    )
    line: Literal["cts", "dsr", "ri", "cd"] | None = Field(
        default=None, description="serial: instead of bytes, a rising edge of this line."
    )
    pin: Literal[10, 11, 12, 13, 15] = Field(default=10, description="parallel: status pin; 10 is ACK.")
    stream: StreamSelection | None = Field(default=None, description="lsl: the marker stream to listen to.")
    marker: str | None = Field(default=None, description="lsl: the marker that is a pulse; null: any.")
    numbered_from: int | None = Field(
        default=None,
        ge=0,
        description="lsl, with marker null: each pulse's marker ends in its number, and this is the number of a "
        "sequence's first, so that a missed first pulse is told at once; a marker without a number is no pulse. "
        "null: markers are not numbered.",
    )
    poll_hz: float = Field(
        default=2000.0,
        ge=100,
        le=20000,
        description="serial line and parallel: how often they are looked at.",
    )

    @property
    def pulse(self) -> tuple[str, str] | None:
        """Which of these keys says what a pulse is, and the name a press of the subject's would share; None: neither."""
        if self.path == "keyboard":
            return "key", self.key
        if self.path == "serial" and self.line is None and self.byte is not None:
            return "byte", chr(self.byte)
        if self.path == "lsl" and self.marker is not None:
            return "marker", self.marker
        return None

    @model_validator(mode="after")
    def _complete(self) -> Trigger:
        if self.path in ("serial", "parallel") and self.port is None:
            raise MismatchError("port", "none", f"the device, as path is '{self.path}'")
        if self.path == "lsl" and self.stream is None:
            raise MismatchError("stream", "none", "the stream to listen to, as path is 'lsl'")
        if self.numbered_from is not None and (self.path != "lsl" or self.marker is not None):
            raise MismatchError(
                "numbered_from",
                f"{self.numbered_from}, with a pulse that is always the same",
                "lsl, marker: null",
            )
        return self


class PulsePolicy(Section):
    """What to do about each kind of finding: note it, warn the operator, pause the run, or abort it."""

    missed: Action = Field(default="warn", description="A pulse that was due did not come.")
    extra: Action = Field(default="warn", description="A pulse that was not due.")
    doubled: Action = Field(default="note", description="A pulse right after another; counted once.")
    human: Action = Field(default="warn", description="A person pressed the trigger's key.")
    tr_off: Action | None = Field(
        default=None,
        description="The TR is not the protocol's, so that volumes and onsets drift apart. null: abort where the "
        "design counts volumes or acquisition_s is given, else warn.",
    )
    drift: Action = Field(default="note", description="The TR changes over the run.")
    stopped: Action = Field(default="abort", description="The scanner stopped before the run's end.")
    first_missed: Action = Field(
        default="warn", description="The run began on a later volume than it believed."
    )
    running: Action = Field(
        default="abort",
        description="The scanner was running already when the run was armed: its first pulse is not the sequence's.",
    )


class Scanner(Section):
    """The sequence that runs in the scanner."""

    tr_s: Positive = Field(description="Repetition time: from one volume to the next.")
    volumes: int = Field(ge=1, description="Stored volumes of a run, dummies not counted.")
    dummies: int = Field(
        default=0,
        ge=0,
        description="Volumes before the first stored one for which the scanner sends pulses too.",
    )
    pulse_per: Literal["volume", "slice"] = Field(default="volume", description="What each pulse stands for.")
    slices: int = Field(default=1, ge=1, description="Pulses in a volume, for pulse_per: slice.")
    acquisition_s: float | None = Field(
        default=None,
        gt=0,
        description="Sparse: how long a volume is acquired within its TR; the rest is silent.",
    )
    tr_tolerance: float = Field(
        default=0.002,
        gt=0,
        lt=0.2,
        description="Relative difference of the TR from the protocol's that is said.",
    )
    jitter_ms: NotNegative = Field(default=5.0, description="Largest jitter of pulses that is still normal.")
    debounce_ms: NotNegative = Field(default=100.0, description="Pulses closer than this are one.")
    trigger: Trigger = Field(default_factory=Trigger, description="How the pulses come in.")
    policy: PulsePolicy = Field(default_factory=PulsePolicy, description="What to do about odd pulses.")
    wait_s: float | None = Field(
        default=None, gt=0, description="Give up an armed run when no pulse comes for so long; null: never."
    )
    sequence_ends: Literal["at_volumes", "open"] = Field(
        default="at_volumes",
        description="at_volumes: the sequence makes exactly dummies + volumes pulses, so their count tells "
        "whether the first was missed; open: it runs until it is stopped by hand.",
    )
    simulate: Simulation | None = Field(
        default=None,
        description="The scanner is SIMULATED by this program, which says so on the screen and in the file; "
        "null: wait for the real one.",
    )

    @property
    def busy_s(self) -> float:
        """For how long in each TR pulses come: a sparse sequence is silent after its slices."""
        if self.pulse_per == "slice" and self.acquisition_s is not None:
            return self.acquisition_s
        return self.tr_s

    @model_validator(mode="after")
    def _fits(self) -> Scanner:
        if self.pulse_per == "volume" and self.slices != 1:
            raise MismatchError(
                "slices", f"{self.slices}, while a pulse is a volume", "1, or pulse_per: slice"
            )
        interval_ms = 1000 * self.tr_s / self.slices
        if self.debounce_ms >= interval_ms / 2:
            raise MismatchError(
                "debounce_ms", f"{self.debounce_ms:g} ms", f"less than half of {interval_ms:g} ms"
            )
        if self.acquisition_s is not None and self.acquisition_s >= self.tr_s:
            raise MismatchError(
                "acquisition_s", f"{self.acquisition_s:g} s", f"less than tr_s, {self.tr_s:g} s"
            )
        interval_ms = 1000 * self.busy_s / self.slices
        if self.jitter_ms > interval_ms / 10:
            raise MismatchError(
                "jitter_ms",
                f"{self.jitter_ms:g} ms",
                f"at most a tenth of the {interval_ms:g} ms from pulse to pulse",
                "With more, a pulse that is missing or one too many can't be told from a late one.",
            )
        return self
