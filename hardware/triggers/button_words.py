"""What a person must know of how the subject's keys are heard."""

from __future__ import annotations

from closedloop.scan.ports import TriggerInfo
from hardware.triggers.ear import BUTTONS, LACKING


def button_words(info: TriggerInfo) -> list[str]:
    """Return in plain words which of the subject's keys are not heard on the keyboard wherever the focus is.

    Args:
        info: what the trigger said when it was opened.

    Returns:
        A line for each thing to know; none where the keyboard is heard for all of them.
    """
    words = []
    if info.window_keys:
        words.append(
            f"keys of the subject ({', '.join(info.window_keys)}): no X11 keyboard can be heard here, so key presses "
            "count only while the stimulus window has the focus, to one frame"
        )
    lacking = info.details.get(BUTTONS, {}).get(LACKING)
    if lacking:
        words.append(
            f"keys of the subject ({', '.join(lacking)}): not in this keyboard's layout, so they are heard on the "
            "trigger's path alone"
        )
    return words
