"""Which events ask the subject for an answer, and which answers are right."""

from __future__ import annotations

from closedloop.protocol.sections.scan_task import Buttons, FixationTask, OneBack, Task
from closedloop.scan.records import PlannedEvent


def right_keys(task: Task | None, event: PlannedEvent) -> tuple[str, ...]:
    """Return the keys that answer an event rightly; none where it asks for no answer.

    A press of one of ``task.keys`` within ``task.limit_s`` of the onset is its answer; if none comes it is a
    miss, and a press that answers nothing is a false alarm.

    Args:
        task: of the protocol.
        event: of the plan.
    """
    if isinstance(task, OneBack):
        return task.keys if event.fields.get("one_back") == 1 else ()
    if isinstance(task, FixationTask):
        return task.keys if event.kind == "fixation" else ()
    if isinstance(task, Buttons) and event.kind == "image":
        return (task.correct[event.trial_type],) if event.trial_type in task.correct else task.keys
    return ()
