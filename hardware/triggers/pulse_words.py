"""What a person must know of what else is taken for a pulse."""

from __future__ import annotations

from closedloop.protocol.sections.scan import Trigger


def pulse_words(trigger: Trigger) -> list[str]:
    """Return in plain words what counts as a pulse besides the scanner's own.

    Args:
        trigger: the protocol's section.

    Returns:
        A line for each thing to know; none where the path tells pulses from all else.
    """
    if trigger.path == "serial" and trigger.line is None and trigger.byte is None:
        return [
            "any byte counts as a pulse, also those of other buttons of the box than the task's keys: set "
            "scanner.trigger.byte"
        ]
    if trigger.path == "lsl" and trigger.marker is None:
        which, way_out = (
            ("any marker", "set scanner.trigger.marker")
            if trigger.numbered_from is None
            else ("any marker that ends in a number", "let no others of that kind be sent on that stream")
        )
        return [
            f"{which} counts as a pulse, also those of other buttons of the box than the task's keys: {way_out}"
        ]
    return []
