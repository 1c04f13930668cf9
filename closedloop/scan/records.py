"""What is planned for a scan run, and what its pulses are taken for."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal, TypeAlias

EventKind: TypeAlias = Literal["image", "null", "fixation"]
Verdict: TypeAlias = Literal["volume", "slice", "doubled", "extra", "human", "after"]


@dataclass(frozen=True)
class PlannedEvent:
    """One thing that a run is to show.

    Attributes:
        onset_s: from the run's start (0: the first stored volume), before it is put on a whole frame.
        duration_s: how long it is on.
        kind: ``image``; ``null``: nothing is shown, on purpose; ``fixation``: the fixation point changes.
        trial_type: condition, as in the events file.
        stimulus: name of an image in the stimulus set; None unless ``kind`` is ``image``.
        fields: further columns for the events file.
    """

    onset_s: float
    duration_s: float
    kind: EventKind
    trial_type: str
    stimulus: str | None = None
    fields: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class RunPlan:
    """All that one scan run is to show.

    Attributes:
        label: of the run, unique in the session: ``"1"``.
        events: in the order of their onsets.
        duration_s: from the first stored volume to the end of the lead-out.
        volumes: stored volumes that the scanner is expected to make, without dummies.
        drawn: how it was made: design, seed, efficiency, candidates.
    """

    label: str
    events: tuple[PlannedEvent, ...]
    duration_s: float
    volumes: int
    drawn: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class PulseEntry:
    """What a pulse was taken for when it came. Its own stamps are never rewritten.

    Attributes:
        pulse: number in order of arrival, from 0.
        verdict: ``volume`` (or ``slice`` within one), ``doubled`` (bounced), ``extra`` (none was due),
            ``human`` (a person at the trigger's key), ``after`` (the run was over).
        volume: number of the volume that it began, from 0 for the first pulse, dummies included; None unless
            the verdict is ``volume``.
        residual_s: its time minus the fit's; NaN before there is one.
    """

    pulse: int
    verdict: Verdict
    volume: int | None
    residual_s: float
