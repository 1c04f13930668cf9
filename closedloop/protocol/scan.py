"""What a session in a scanner is to do, as data: the whole protocol of kind `scan`."""

from __future__ import annotations

from typing import Literal

from pydantic import Field, model_validator

from closedloop.protocol.sections.base import MismatchError, Section
from closedloop.protocol.sections.display import Display
from closedloop.protocol.sections.lsl import Lsl
from closedloop.protocol.sections.presentation import Fixation
from closedloop.protocol.sections.scan import Scanner
from closedloop.protocol.sections.scan_design import Block, Design, Events, Sparse
from closedloop.protocol.sections.scan_runs import Efficiency, Runs, ScanOutput
from closedloop.protocol.sections.scan_stimuli import Stimuli
from closedloop.protocol.sections.scan_task import Buttons, FixationTask, OneBack, Task
from closedloop.protocol.sections.subject import Subject


class ScanProtocol(Section):
    """A whole protocol file of kind `scan`."""

    version: Literal[1] = Field(default=1, description="Of the protocol format.")
    kind: Literal["scan"] = Field(description="What is run.")
    subject: Subject = Field(description="Who is scanned.")
    notes: str = Field(default="", description="Free text, kept with the session.")
    seed: int = Field(ge=0, lt=2**63, description="All random draws come from it.")
    display: Display = Field(default_factory=Display, description="Screen and window.")
    fixation: Fixation | None = Field(default_factory=Fixation, description="null: no fixation point.")
    scanner: Scanner = Field(description="The sequence, its trigger, and what to do about odd pulses.")
    stimuli: Stimuli = Field(default_factory=Stimuli, description="What is shown.")
    design: Design = Field(description="When it is shown, by its `kind`.")
    task: Task | None = Field(default=None, description="What the subject does, by its `kind`; null: looks.")
    runs: Runs = Field(default_factory=Runs, description="One run, if left out.")
    efficiency: Efficiency = Field(
        default_factory=Efficiency, description="Which of many drawn designs is taken."
    )
    lsl: Lsl = Field(default_factory=Lsl, description="The rig's own corner of the lab streaming layer.")
    output: ScanOutput = Field(
        default_factory=ScanOutput, description="What is written besides the session file."
    )

    def scanner_of(self, volumes: int) -> Scanner:
        """Return what is expected of the scanner in a run, and what is done about each kind of finding.

        Onsets are seconds from the run's start. With a TR that is off they leave the volumes, which is what a
        design in volumes, or in the silence between them, is about; so there it ends the run if nothing else is said.

        Args:
            volumes: stored ones of the run.
        """
        policy = self.scanner.policy
        if policy.tr_off is None:
            on_volumes = self.design.units == "volumes" or self.scanner.acquisition_s is not None
            policy = policy.model_copy(update={"tr_off": "abort" if on_volumes else "warn"})
        return self.scanner.model_copy(update={"volumes": volumes, "policy": policy})

    @model_validator(mode="after")
    def _consistent(self) -> ScanProtocol:
        self._check_conditions()
        self._check_task()
        self._check_runs()
        if isinstance(self.design, Sparse) and self.scanner.acquisition_s is None:
            raise MismatchError(
                ("scanner", "acquisition_s"),
                "none, while the design is sparse",
                "how long a volume is acquired within its TR",
                "The images are put into the silence after it.",
            )
        return self

    def _check_conditions(self) -> None:
        names = [condition.name for condition in self.stimuli.conditions]
        if isinstance(self.design, Events):
            return  # its conditions are those of its table
        if not names:
            raise MismatchError(
                ("stimuli", "conditions"), "none", f"at least one, as the design is '{self.design.kind}'"
            )
        named: list[tuple[tuple[str | int, ...], str]] = []
        if isinstance(self.design, Block):
            named += [(("design", "block", "given", i), name) for i, name in enumerate(self.design.given)]
        for i, contrast in enumerate(self.efficiency.contrasts):
            named += [(("efficiency", "contrasts", i, "weights", name), name) for name in contrast.weights]
        if isinstance(self.task, Buttons):
            named += [(("task", "buttons", "correct", name), name) for name in self.task.correct]
        for key, name in named:
            if name not in names:
                raise MismatchError(key, f"the condition '{name}'", f"one of {', '.join(names)}")

    def _check_task(self) -> None:
        if self.task is None:
            return
        pulse = self.scanner.trigger.pulse
        if pulse is not None and pulse[1] in self.task.keys:
            raise MismatchError(
                ("task", self.task.kind, "keys"),
                f"'{pulse[1]}', which is the scanner's (scanner.trigger.{pulse[0]})",
                "keys of the subject's own",
            )
        if isinstance(self.task, FixationTask) and self.fixation is None:
            raise MismatchError(
                "fixation", "null, while the task is at the fixation point", "a fixation point"
            )
        if isinstance(self.task, OneBack) and isinstance(self.design, Events | Sparse):
            raise MismatchError(
                ("task", "one_back", "kind"),
                f"a one-back task with a design of kind '{self.design.kind}'",
                "a design of kind event_related, block or localiser, which can add repeats",
                "The repeats of a table stand in it: set the task to buttons, and keep its column.",
            )

    def _check_runs(self) -> None:
        for index, run in enumerate(self.runs.planned):
            at = ("runs", "each", index, "events") if self.runs.each else ("design", "events", "file")
            if isinstance(self.design, Events):
                if run.events is None and self.design.file is None:
                    raise MismatchError(
                        at, "none", f"the table of run {run.label}", "Or give design.file for all."
                    )
            elif run.events is not None:
                raise MismatchError(
                    at,
                    f"a table, while the design is '{self.design.kind}'",
                    "none",
                    "Set design.kind to events.",
                )
        if isinstance(self.design, Events) and self.efficiency.candidates > 1:
            raise MismatchError(
                ("efficiency", "candidates"), "several, while the design is a table", "1: nothing is drawn"
            )
