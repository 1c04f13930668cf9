"""One name for each key, whichever of its names a protocol, an X server or a window uses."""

from __future__ import annotations

# A window (pyglet) names some keys otherwise than X does. Where the key pad's digits come without their lock, they
# are the same keys.
_SAME = {
    "return": "enter",
    "prior": "pageup",
    "page_up": "pageup",
    "next": "pagedown",
    "page_down": "pagedown",
    "shift_l": "lshift",
    "shift_r": "rshift",
    "control_l": "lctrl",
    "control_r": "rctrl",
    "alt_l": "lalt",
    "alt_r": "ralt",
    "caps_lock": "capslock",
    "numbersign": "pound",
    "hash": "pound",
    "quotedbl": "doublequote",
    "exclam": "exclamation",
    "num_insert": "num_0",
    "num_end": "num_1",
    "num_down": "num_2",
    "num_next": "num_3",
    "num_page_down": "num_3",
    "num_left": "num_4",
    "num_begin": "num_5",
    "num_right": "num_6",
    "num_home": "num_7",
    "num_up": "num_8",
    "num_prior": "num_9",
    "num_page_up": "num_9",
}


def key_name(name: str) -> str:
    """Return the one name of a key: equal for two names if, and only if, they are of the same key.

    Args:
        name: as PsychoPy (``num_5``), X (``KP_5``, ``Return``) or the stimulus window (``_5``, ``enter``) has it.
    """
    plain = name.lower()
    if plain.startswith("kp_"):
        plain = "num_" + plain.removeprefix("kp_")
    elif len(plain) == 2 and plain[0] == "_" and plain[1].isdigit():
        plain = plain[1]
    return _SAME.get(plain, plain)
