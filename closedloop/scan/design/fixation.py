"""The changes of the fixation point that a fixation task asks for."""

from __future__ import annotations

import numpy as np

from closedloop.protocol.sections.scan_task import FixationTask
from closedloop.scan.records import PlannedEvent


def fixation_changes(task: FixationTask, duration_s: float, rng: np.random.Generator) -> list[PlannedEvent]:
    """Return when the fixation point changes, in order.

    The last change leaves time for its answer before the run's end.

    Args:
        task: of the protocol.
        duration_s: of the run.
        rng: draws the times.
    """
    changes: list[PlannedEvent] = []
    onset_s = 0.0
    while True:
        onset_s += float(rng.uniform(task.shortest_s, task.longest_s))
        if onset_s + max(task.change_s, task.limit_s) > duration_s:
            return changes
        changes.append(PlannedEvent(onset_s, task.change_s, "fixation", "fixation"))
