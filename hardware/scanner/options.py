"""Everything that the simulated scanner can be told."""

from __future__ import annotations

import math
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Literal, TypeAlias

from closedloop.scan.simulation import ScannerFaults

Way: TypeAlias = Literal["keyboard", "serial", "lsl"]


@dataclass(frozen=True)
class ScannerOptions:
    """The sequence, its faults, the path, and the subject's presses.

    Attributes:
        path: where pulses go out.
        tr_s: nominal repetition time.
        volumes: stored volumes of a run.
        volumes_of_runs: those of each run in turn, where runs differ; a run beyond them has ``volumes``.
        dummies: volumes before them that send pulses, too.
        slices: pulses in a volume.
        acquisition_s: sparse: how long a volume takes within its TR; None: all of it.
        jitter_s: largest jitter of a pulse.
        faults: what is wrong.
        seed: of all that is random in it; the number of the run goes in as well.
        start_after_s: from the start, or from the line that is waited for, to the nominal first pulse.
        wait_for_line: each run begins with a line on standard input.
        runs: how many runs.
        between_s: from the end of a run to the next start.
        wait_listener_s: lsl: how long to wait for somebody to listen before the first run.
        key: keyboard: what is pressed.
        hold_s: keyboard: for how long.
        display: keyboard: the X display; None takes ``DISPLAY``.
        byte: serial: what is written.
        link: serial: a symbolic link to the device, as its own name is never the same.
        stream, stream_type, source_id, marker: lsl: name of the stream, its type, its source id, and what a
            pulse is in it.
        numbered_from: lsl: markers of the sequence's pulses end in their number, and this is the first one's; None:
            all are alike.
        numeric: lsl: the marker is a whole number and the stream one of int32.
        presses: times in seconds from the nominal first pulse, and keys, of the subject's presses.
        press_keys: keys of the presses that are drawn.
        presses_per_min: how many are drawn, as a Poisson process over the run.
        out: file for what was sent when, ``.csv`` (written as it goes) or ``.npz`` (at the end).
    """

    path: Way = "keyboard"
    tr_s: float = 2.0
    volumes: int = 300
    volumes_of_runs: tuple[int, ...] = ()
    dummies: int = 0
    slices: int = 1
    acquisition_s: float | None = None
    jitter_s: float = 0.0
    faults: ScannerFaults = field(default_factory=ScannerFaults)
    seed: int = 0
    start_after_s: float = 1.0
    wait_for_line: bool = False
    runs: int = 1
    between_s: float = 5.0
    wait_listener_s: float = 0.0
    key: str = "5"
    hold_s: float = 0.01
    display: str | None = None
    byte: int = ord("5")
    link: Path | None = None
    stream: str = "scanner"
    stream_type: str = "Markers"
    source_id: str = "closedloop-scanner"
    marker: str = "volume"
    numbered_from: int | None = None
    numeric: bool = False
    presses: tuple[tuple[float, str], ...] = ()
    press_keys: tuple[str, ...] = ("1", "2")
    presses_per_min: float = 0.0
    out: Path | None = None

    def __post_init__(self) -> None:
        self._check_numbers()
        for name in ("tr_s", "hold_s"):
            if getattr(self, name) <= 0:
                raise ValueError(f"{name} must be more than 0")
        for name in ("volumes", "slices", "runs"):
            if getattr(self, name) < 1:
                raise ValueError(f"{name} must be 1 or more")
        if min(self.volumes_of_runs, default=1) < 1:
            raise ValueError("volumes must be 1 or more in each run")
        for name in ("dummies", "jitter_s", "seed", "start_after_s", "between_s", "presses_per_min"):
            if getattr(self, name) < 0:
                raise ValueError(f"{name} must not be less than 0")
        if not 0 <= self.byte <= 255:
            raise ValueError("a byte is 0 to 255")
        if self.out is not None and self.out.suffix not in (".csv", ".npz"):
            raise ValueError(f"{self.out}: stamps are written as .csv or .npz")
        if self.numeric and self.numbered_from is not None:
            raise ValueError("markers are numbers, or end in one, but not both")
        if self.path == "keyboard" and self.key in {key for _, key in self.presses}:
            raise ValueError(f"key {self.key} is the trigger's, and no press of the subject's")

    def _check_numbers(self) -> None:
        """Refuse what is no finite number, which would pass any comparison below."""
        given = {**vars(self), **vars(self.faults), "presses": [time_s for time_s, _ in self.presses]}
        for name, value in given.items():
            for number in value if isinstance(value, tuple | list) else (value,):
                if isinstance(number, float) and not math.isfinite(number):
                    raise ValueError(f"{name} ({number}) must be a finite number")

    def of_run(self, number: int) -> ScannerOptions:
        """Return the options of one run, from 1, with its own number of volumes."""
        own = dict(enumerate(self.volumes_of_runs, start=1)).get(number, self.volumes)
        return replace(self, volumes=own, volumes_of_runs=())
